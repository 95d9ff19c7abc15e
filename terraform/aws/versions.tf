terraform {
  required_version = ">= 1.5"

  required_providers {
    aws = {
      source = "hashicorp/aws"
      # Since 5.39, default_tags apply to the root volumes of instances.
      version = "~> 5.40"
    }
  }
}
