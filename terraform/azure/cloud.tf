# Variables that only this cloud has.

variable "subscription_id" {
  description = "The subscription that pays; empty for the one in ARM_SUBSCRIPTION_ID."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^([0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})?$", var.subscription_id))
    error_message = "A subscription's id is a UUID: az account show --query id prints it."
  }
}

variable "resource_group" {
  description = "A resource group that exists, for those who may not make one; empty makes kdevops-LAB."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^([A-Za-z0-9_().-]{0,89}[A-Za-z0-9_()-])?$", var.resource_group))
    error_message = "This is no name of a resource group."
  }
}

variable "network_cidr" {
  description = "Addresses of the lab's own network; machines get theirs from it."
  type        = string
  default     = "10.66.0.0/24"
  nullable    = false

  validation {
    condition     = can(regex("^([89]|[12][0-9])$", split("/", var.network_cidr)[1])) && try(cidrsubnet(var.network_cidr, 0, 0) == var.network_cidr, false)
    error_message = "A network of Azure is a range of IPv4 from /8 to /29, such as 10.66.0.0/24."
  }
}

variable "debian" {
  description = "The release of Debian to boot without an image."
  type        = number
  default     = 12
  nullable    = false

  validation {
    condition     = var.debian >= 12 && floor(var.debian) == var.debian
    error_message = "A release of Debian is a whole number, 12 or more."
  }
}

variable "disk_type" {
  description = "What all disks are kept on."
  type        = string
  default     = "StandardSSD_LRS"
  nullable    = false

  validation {
    condition     = contains(["Standard_LRS", "StandardSSD_LRS", "Premium_LRS"], var.disk_type)
    error_message = "The type of a disk is StandardSSD_LRS, Premium_LRS or Standard_LRS."
  }
}

variable "tags" {
  description = "Further tags for all that is made, where a subscription asks for some."
  type        = map(string)
  default     = {}
  nullable    = false
}
