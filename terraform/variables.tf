# The same file for every cloud. What only one cloud has stands in its cloud.tf.

variable "lab" {
  description = "Name of the lab: prefix of all names, and the tag kdevops-lab."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,30}[a-z0-9])?$", var.lab))
    error_message = "A lab's name has small letters, digits and dashes, begins with a letter, and is at most 32 long."
  }
}

variable "kdevops_nodes" {
  description = "Names of the machines to have."
  type        = set(string)
  nullable    = false

  validation {
    condition     = alltrue([for name in var.kdevops_nodes : can(regex("^[a-z]([a-z0-9-]{0,48}[a-z0-9])?$", name))])
    error_message = "A machine's name has small letters, digits and dashes, begins with a letter, and is at most 50 long."
  }
}

variable "owner" {
  description = "Who is asked about these machines: the tag kdevops-owner."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,254}$", var.owner))
    error_message = "An owner is a name or an address without spaces, at most 255 characters."
  }
}

variable "expires" {
  description = "When the machines are overdue, in UTC: 2030-01-31T23:59:59Z. The tag kdevops-expires; nothing deletes them then."
  type        = string
  nullable    = false

  validation {
    condition     = can(formatdate("YYYY", var.expires)) && can(regex("^[0-9T:-]+Z$", var.expires))
    error_message = "A time as RFC 3339 has it is needed, in UTC and without fractions: 2030-01-31T23:59:59Z."
  }
}

variable "region" {
  description = "Where the machines are; empty for what the cloud's own configuration says, else the module's default."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^([A-Za-z0-9][A-Za-z0-9._:/@-]*)?$", var.region))
    error_message = "This is no name of a region."
  }
}

variable "zone" {
  description = "The part of the region; empty for one that the cloud or the module chooses."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^([A-Za-z0-9][A-Za-z0-9._:/@-]*)?$", var.zone))
    error_message = "This is no name of a zone."
  }
}

variable "instance_type" {
  description = "The cloud's name of the size of machine; empty for the cheapest sane one of the architecture."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^([A-Za-z0-9][A-Za-z0-9._:/@-]*)?$", var.instance_type))
    error_message = "This is no name of an instance type."
  }
}

variable "architecture" {
  description = "What the machines' processors are: x86_64 or aarch64."
  type        = string
  default     = "x86_64"
  nullable    = false

  validation {
    condition     = contains(["x86_64", "aarch64"], var.architecture)
    error_message = "The architecture is x86_64 or aarch64."
  }
}

variable "image" {
  description = "The cloud's id of the image to boot; empty looks up the newest official one of Debian 12."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^([A-Za-z0-9/][A-Za-z0-9._:/@-]*)?$", var.image))
    error_message = "This is no id of an image."
  }
}

variable "root_size" {
  description = "GiB of the root disk."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = var.root_size >= 8 && floor(var.root_size) == var.root_size
    error_message = "The root disk has 8 GiB at least, in whole GiB."
  }
}

variable "disks" {
  description = "GiB of each extra disk of each machine, in order."
  type        = list(number)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for size in var.disks : try(size >= 1 && floor(size) == size, false)])
    error_message = "An extra disk has 1 GiB at least, in whole GiB."
  }
}

variable "ssh_public_key" {
  description = "The lab's own public key, in the form of OpenSSH; root is let in by it."
  type        = string
  nullable    = false

  validation {
    condition = can(regex(
      "^(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)) [A-Za-z0-9+/]{60,}={0,2}( [A-Za-z0-9._@+-]+)?$",
      var.ssh_public_key
    ))
    error_message = "A public key is one line: ssh-ed25519 AAAA…, and a comment of one word at most."
  }
}

variable "allowed_cidrs" {
  description = "Ranges of addresses, IPv4 or IPv6, from which ssh may be reached. One at least, and never everybody."
  type        = set(string)
  nullable    = false

  validation {
    condition     = length(var.allowed_cidrs) > 0
    error_message = "Nobody could reach the machines: name one range at least, such as your own address with /32."
  }

  validation {
    # cidrsubnet gives back the network's address: a range with host bits is refused here and not in the midst of an apply.
    condition     = alltrue([for range in var.allowed_cidrs : try(cidrsubnet(range, 0, 0) == range, false)])
    error_message = "A range is a network's address and the length of its prefix: 192.0.2.0/24 or 2001:db8::/64."
  }

  validation {
    condition     = alltrue([for range in var.allowed_cidrs : try(tonumber(split("/", range)[1]) > 0, false)])
    error_message = "The whole Internet would be let in: name the addresses that you come from."
  }
}

variable "spot" {
  description = "Have cheaper machines, which the cloud may take away at any time."
  type        = bool
  default     = false
  nullable    = false
}
