terraform {
  required_version = ">= 1.5"

  required_providers {
    aws = {
      source = "hashicorp/aws"
      # From 5.39 on, default_tags reach the root volumes of instances.
      version = "~> 5.40"
    }
  }
}
