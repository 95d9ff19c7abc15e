# Variables of this cloud only.

variable "cloud" {
  description = "The cloud's name in clouds.yaml; empty for OS_CLOUD or the other OS_* variables."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^([A-Za-z0-9][A-Za-z0-9_.-]*)?$", var.cloud))
    error_message = "This is not the name of a cloud."
  }
}

variable "network" {
  description = "An existing network whose addresses the controller can reach. Empty creates one, with a router and floating addresses."
  type        = string
  default     = ""
  nullable    = false
}

variable "external_network" {
  description = "The network of the floating addresses; may be empty if there is only one."
  type        = string
  default     = ""
  nullable    = false
}

variable "network_cidr" {
  description = "Address range of the lab's own network, from which the machines get their addresses."
  type        = string
  default     = "10.66.0.0/24"
  nullable    = false

  validation {
    condition     = can(regex("^(1[6-9]|2[0-9])$", split("/", var.network_cidr)[1])) && try(cidrsubnet(var.network_cidr, 0, 0) == var.network_cidr, false)
    error_message = "A network is an IPv4 range from /16 to /29, such as 10.66.0.0/24."
  }
}

variable "nameservers" {
  description = "Addresses of name servers, if the cloud's own network announces none to machines."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "image_pattern" {
  description = "A regular expression for image names, of which the newest is used; empty for Debian 12 and later."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regexall(var.image_pattern, ""))
    error_message = "This is not a regular expression."
  }
}

variable "disk_type" {
  description = "The type of all volumes; empty for the cloud's default."
  type        = string
  default     = ""
  nullable    = false
}

variable "disk_path" {
  description = "Path of a disk in a guest; %s is its id. If disks are not virtio-blk: /dev/disk/by-id/scsi-0QEMU_QEMU_HARDDISK_%s."
  type        = string
  default     = "/dev/disk/by-id/virtio-%.20s"
  nullable    = false

  validation {
    condition     = startswith(var.disk_path, "/dev/") && can(format(var.disk_path, "id"))
    error_message = "A disk's path begins with /dev/ and contains %s once, for the disk's id."
  }
}

variable "tags" {
  description = "Further metadata for machines and volumes."
  type        = map(string)
  default     = {}
  nullable    = false
}
