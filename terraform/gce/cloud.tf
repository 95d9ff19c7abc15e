# Variables of this cloud only.

variable "project" {
  description = "The machines' project; empty for GOOGLE_CLOUD_PROJECT from the environment."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^([a-z0-9][a-z0-9.:-]*)?$", var.project))
    error_message = "This is not the id of a project."
  }
}

variable "network_cidr" {
  description = "Address range of the lab's own network, from which the machines get their addresses."
  type        = string
  default     = "10.66.0.0/24"
  nullable    = false

  validation {
    condition     = can(cidrnetmask(var.network_cidr)) && try(cidrsubnet(var.network_cidr, 0, 0) == var.network_cidr, false)
    error_message = "The network is an IPv4 range, such as 10.66.0.0/24."
  }
}

variable "disk_type" {
  description = "The type of all disks."
  type        = string
  default     = "pd-balanced"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]*$", var.disk_type))
    error_message = "This is not a disk type, such as pd-balanced, pd-ssd or hyperdisk-balanced."
  }
}

variable "labels" {
  description = "Further labels for everything that can have labels."
  type        = map(string)
  default     = {}
  nullable    = false
}
