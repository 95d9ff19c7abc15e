# Variables that only this cloud has.

variable "network_cidr" {
  description = "Addresses of the lab's own network; machines get theirs from it."
  type        = string
  default     = "10.66.0.0/24"
  nullable    = false

  validation {
    condition     = can(regex("^(1[6-9]|2[0-8])$", split("/", var.network_cidr)[1])) && try(cidrsubnet(var.network_cidr, 0, 0) == var.network_cidr, false)
    error_message = "A network of AWS is a range of IPv4 from /16 to /28, such as 10.66.0.0/24."
  }
}

variable "disk_type" {
  description = "The EBS type of all volumes."
  type        = string
  default     = "gp3"
  nullable    = false

  validation {
    # io1 and io2 would need a number of IOPS too.
    condition     = contains(["gp2", "gp3", "standard"], var.disk_type)
    error_message = "The type of a volume is gp3, gp2 or standard."
  }
}

variable "tags" {
  description = "Further tags for all that is made, where an account asks for some."
  type        = map(string)
  default     = {}
  nullable    = false
}
