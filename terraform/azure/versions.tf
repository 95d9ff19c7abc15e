terraform {
  required_version = ">= 1.5"

  required_providers {
    azurerm = {
      source = "hashicorp/azurerm"
      # Late enough to take keys of ed25519.
      version = "~> 4.40"
    }
  }
}
