# Variables of this cloud only.

variable "subscription_id" {
  description = "The id of the subscription; empty for ARM_SUBSCRIPTION_ID."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^([0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})?$", var.subscription_id))
    error_message = "The subscription must be a UUID: az account show --query id prints it."
  }
}

variable "resource_group" {
  description = "An existing resource group, for users who may not create one; empty creates kdevops-LAB."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^([A-Za-z0-9_().-]{0,89}[A-Za-z0-9_()-])?$", var.resource_group))
    error_message = "This is not the name of a resource group."
  }
}

variable "network_cidr" {
  description = "Address range of the lab's own network, from which the machines get their addresses."
  type        = string
  default     = "10.66.0.0/24"
  nullable    = false

  validation {
    condition     = can(regex("^([89]|[12][0-9])$", split("/", var.network_cidr)[1])) && try(cidrsubnet(var.network_cidr, 0, 0) == var.network_cidr, false)
    error_message = "An Azure network is an IPv4 range from /8 to /29, such as 10.66.0.0/24."
  }
}

variable "debian" {
  description = "The Debian release to boot if no image is given."
  type        = number
  default     = 12
  nullable    = false

  validation {
    condition     = var.debian >= 12 && floor(var.debian) == var.debian
    error_message = "The Debian release must be a whole number, at least 12."
  }
}

variable "disk_type" {
  description = "The storage type of all disks."
  type        = string
  default     = "StandardSSD_LRS"
  nullable    = false

  validation {
    condition     = contains(["Standard_LRS", "StandardSSD_LRS", "Premium_LRS"], var.disk_type)
    error_message = "The disk type must be StandardSSD_LRS, Premium_LRS or Standard_LRS."
  }
}

variable "tags" {
  description = "Further tags for everything that is created, if the subscription requires some."
  type        = map(string)
  default     = {}
  nullable    = false
}
