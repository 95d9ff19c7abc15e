# This file is the same for all clouds. Variables of one cloud only are in its cloud.tf.

variable "lab" {
  description = "Name of the lab: prefix of all names, and value of the tag kdevops-lab."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,30}[a-z0-9])?$", var.lab))
    error_message = "A lab's name consists of lower-case letters, digits and dashes, begins with a letter, and has at most 32 characters."
  }
}

variable "kdevops_nodes" {
  description = "Names of the machines to create."
  type        = set(string)
  nullable    = false

  validation {
    condition     = alltrue([for name in var.kdevops_nodes : can(regex("^[a-z]([a-z0-9-]{0,48}[a-z0-9])?$", name))])
    error_message = "A machine's name consists of lower-case letters, digits and dashes, begins with a letter, and has at most 50 characters."
  }
}

variable "owner" {
  description = "The person responsible for these machines: value of the tag kdevops-owner."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,254}$", var.owner))
    error_message = "An owner is a name or an address without spaces, at most 255 characters."
  }
}

variable "expires" {
  description = "When the machines are overdue, in UTC, such as 2030-01-31T23:59:59Z: value of the tag kdevops-expires. Nothing deletes them automatically."
  type        = string
  nullable    = false

  validation {
    condition     = can(formatdate("YYYY", var.expires)) && can(regex("^[0-9T:-]+Z$", var.expires))
    error_message = "The time must be in the format of RFC 3339, in UTC and without fractions: 2030-01-31T23:59:59Z."
  }
}

variable "region" {
  description = "The region of the machines; empty for the one in the cloud's own configuration, else the module's default."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^([A-Za-z0-9][A-Za-z0-9._:/@-]*)?$", var.region))
    error_message = "This is not the name of a region."
  }
}

variable "zone" {
  description = "The zone within the region; empty lets the cloud or the module choose."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^([A-Za-z0-9][A-Za-z0-9._:/@-]*)?$", var.zone))
    error_message = "This is not the name of a zone."
  }
}

variable "instance_type" {
  description = "The cloud's name of the machine size; empty for the cheapest suitable one of the architecture."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^([A-Za-z0-9][A-Za-z0-9._:/@-]*)?$", var.instance_type))
    error_message = "This is not the name of an instance type."
  }
}

variable "architecture" {
  description = "The machines' architecture: x86_64 or aarch64."
  type        = string
  default     = "x86_64"
  nullable    = false

  validation {
    condition     = contains(["x86_64", "aarch64"], var.architecture)
    error_message = "The architecture must be x86_64 or aarch64."
  }
}

variable "image" {
  description = "The cloud's id of the image to boot; empty for the newest official image of Debian 12."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^([A-Za-z0-9/][A-Za-z0-9._:/@-]*)?$", var.image))
    error_message = "This is not the id of an image."
  }
}

variable "root_size" {
  description = "Size of the root disk in GiB."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = var.root_size >= 8 && floor(var.root_size) == var.root_size
    error_message = "The root disk's size must be a whole number of GiB, at least 8."
  }
}

variable "disks" {
  description = "Sizes of each machine's extra disks in GiB, in order."
  type        = list(number)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for size in var.disks : try(size >= 1 && floor(size) == size, false)])
    error_message = "An extra disk's size must be a whole number of GiB, at least 1."
  }
}

variable "ssh_public_key" {
  description = "The lab's own public key in OpenSSH's format; root logs in with it."
  type        = string
  nullable    = false

  validation {
    condition = can(regex(
      "^(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)) [A-Za-z0-9+/]{60,}={0,2}( [A-Za-z0-9._@+-]+)?$",
      var.ssh_public_key
    ))
    error_message = "A public key is one line: ssh-ed25519 AAAA…, with a comment of at most one word."
  }
}

variable "allowed_cidrs" {
  description = "Address ranges, IPv4 or IPv6, from which ssh is allowed. At least one, and never the whole Internet."
  type        = set(string)
  nullable    = false

  validation {
    condition     = length(var.allowed_cidrs) > 0
    error_message = "Nobody could reach the machines: name at least one range, such as your own address with /32."
  }

  validation {
    # cidrsubnet returns the network's address, so a range with host bits is refused here and not in the middle of an apply.
    condition     = alltrue([for range in var.allowed_cidrs : try(cidrsubnet(range, 0, 0) == range, false)])
    error_message = "A range is a network address with a prefix length: 192.0.2.0/24 or 2001:db8::/64."
  }

  validation {
    condition     = alltrue([for range in var.allowed_cidrs : try(tonumber(split("/", range)[1]) > 0, false)])
    error_message = "This would allow the whole Internet: name the addresses from which you connect."
  }
}

variable "spot" {
  description = "Use cheaper machines that the cloud may take away at any time."
  type        = bool
  default     = false
  nullable    = false
}
