# Variables that only this cloud has.

variable "cloud" {
  description = "The cloud's name in clouds.yaml; empty for OS_CLOUD, or what else OS_* say."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^([A-Za-z0-9][A-Za-z0-9_.-]*)?$", var.cloud))
    error_message = "This is no name of a cloud."
  }
}

variable "network" {
  description = "A network that exists, whose addresses the controller reaches. Empty makes one with a router and floating addresses."
  type        = string
  default     = ""
  nullable    = false
}

variable "external_network" {
  description = "The network that floating addresses are from; empty where there is only one."
  type        = string
  default     = ""
  nullable    = false
}

variable "network_cidr" {
  description = "Addresses of the lab's own network; machines get theirs from it."
  type        = string
  default     = "10.66.0.0/24"
  nullable    = false

  validation {
    condition     = can(regex("^(1[6-9]|2[0-9])$", split("/", var.network_cidr)[1])) && try(cidrsubnet(var.network_cidr, 0, 0) == var.network_cidr, false)
    error_message = "A network is a range of IPv4 from /16 to /29, such as 10.66.0.0/24."
  }
}

variable "nameservers" {
  description = "Addresses of name servers, where the cloud's own network tells machines none."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "image_pattern" {
  description = "Names of images to choose the newest of, as a regular expression; empty for names of Debian 12 and later."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regexall(var.image_pattern, ""))
    error_message = "This is no regular expression."
  }
}

variable "disk_type" {
  description = "The type of all volumes; empty for the cloud's default."
  type        = string
  default     = ""
  nullable    = false
}

variable "disk_path" {
  description = "What a disk is called in a guest. %s is its id: where disks are not virtio-blk, /dev/disk/by-id/scsi-0QEMU_QEMU_HARDDISK_%s."
  type        = string
  default     = "/dev/disk/by-id/virtio-%.20s"
  nullable    = false

  validation {
    condition     = startswith(var.disk_path, "/dev/") && can(format(var.disk_path, "id"))
    error_message = "A disk's name begins with /dev/ and has one %s for its id."
  }
}

variable "tags" {
  description = "Further metadata of machines and volumes."
  type        = map(string)
  default     = {}
  nullable    = false
}
