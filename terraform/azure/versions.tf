terraform {
  required_version = ">= 1.5"

  required_providers {
    azurerm = {
      source = "hashicorp/azurerm"
      # The first version that accepts ed25519 keys, or newer.
      version = "~> 4.40"
    }
  }
}
