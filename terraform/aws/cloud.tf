# Variables of this cloud only.

variable "network_cidr" {
  description = "Address range of the lab's own network, from which the machines get their addresses."
  type        = string
  default     = "10.66.0.0/24"
  nullable    = false

  validation {
    condition     = can(regex("^(1[6-9]|2[0-8])$", split("/", var.network_cidr)[1])) && try(cidrsubnet(var.network_cidr, 0, 0) == var.network_cidr, false)
    error_message = "An AWS network is an IPv4 range from /16 to /28, such as 10.66.0.0/24."
  }
}

variable "disk_type" {
  description = "The EBS type of all volumes."
  type        = string
  default     = "gp3"
  nullable    = false

  validation {
    # io1 and io2 would also need a number of IOPS.
    condition     = contains(["gp2", "gp3", "standard"], var.disk_type)
    error_message = "The volume type must be gp3, gp2 or standard."
  }
}

variable "tags" {
  description = "Further tags for everything that is created, if the account requires some."
  type        = map(string)
  default     = {}
  nullable    = false
}
