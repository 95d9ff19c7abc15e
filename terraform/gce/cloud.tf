# Variables that only this cloud has.

variable "project" {
  description = "Project that the machines are in; empty for GOOGLE_CLOUD_PROJECT of the environment."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^([a-z0-9][a-z0-9.:-]*)?$", var.project))
    error_message = "This is no id of a project."
  }
}

variable "network_cidr" {
  description = "Addresses of the lab's own network; machines get theirs from it."
  type        = string
  default     = "10.66.0.0/24"
  nullable    = false

  validation {
    condition     = can(cidrnetmask(var.network_cidr)) && try(cidrsubnet(var.network_cidr, 0, 0) == var.network_cidr, false)
    error_message = "The network is a range of IPv4, such as 10.66.0.0/24."
  }
}

variable "disk_type" {
  description = "The type of all disks."
  type        = string
  default     = "pd-balanced"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]*$", var.disk_type))
    error_message = "This is no type of a disk, such as pd-balanced, pd-ssd or hyperdisk-balanced."
  }
}

variable "labels" {
  description = "Further labels for all that can have one."
  type        = map(string)
  default     = {}
  nullable    = false
}
