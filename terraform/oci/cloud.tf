# Variables that only this cloud has.

variable "compartment_id" {
  description = "The OCID of the compartment that has all that is made. There is no default: the root compartment is for few."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^ocid1\\.(compartment|tenancy)\\.[a-z0-9-]*\\.[a-z0-9-]*\\.[a-z0-9]+$", var.compartment_id))
    error_message = "A compartment is named by its OCID: ocid1.compartment.oc1..…; oci iam compartment list prints it."
  }
}

variable "profile" {
  description = "The profile of ~/.oci/config to use. Empty for DEFAULT: Terraform does not look at OCI_CLI_PROFILE, which the command oci obeys."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^([A-Za-z0-9][A-Za-z0-9_.-]*)?$", var.profile))
    error_message = "This is no name of a profile."
  }
}

variable "network_cidr" {
  description = "Addresses of the lab's own network; machines get theirs from it."
  type        = string
  default     = "10.66.0.0/24"
  nullable    = false

  validation {
    condition     = can(regex("^(1[6-9]|2[0-9]|30)$", split("/", var.network_cidr)[1])) && try(cidrsubnet(var.network_cidr, 0, 0) == var.network_cidr, false)
    error_message = "A network of OCI is a range of IPv4 from /16 to /30, such as 10.66.0.0/24."
  }
}

variable "ocpus" {
  description = "OCPUs of a flexible shape: two processors each of x86_64, one of aarch64. 0 for two processors."
  type        = number
  default     = 0
  nullable    = false

  validation {
    condition     = var.ocpus >= 0 && var.ocpus <= 126 && floor(var.ocpus) == var.ocpus
    error_message = "OCPUs are counted in whole numbers, 126 at most."
  }
}

variable "memory" {
  description = "GiB of memory of a flexible shape."
  type        = number
  default     = 8
  nullable    = false

  validation {
    condition     = var.memory >= 1 && var.memory <= 1760 && floor(var.memory) == var.memory
    error_message = "Memory is given in whole GiB, 1 at least and 1760 at most."
  }
}

variable "ubuntu" {
  description = "The release of Ubuntu to boot without an image: OCI has none of Debian's."
  type        = string
  default     = "24.04"
  nullable    = false

  validation {
    condition     = can(regex("^[0-9]{2}[.]04( Minimal( aarch64)?)?$", var.ubuntu))
    error_message = "A release of Ubuntu is what OCI calls it: 24.04, or 24.04 Minimal."
  }
}

variable "vpus_per_gb" {
  description = "How fast extra disks are: 0 is the slowest and cheapest, 10 what OCI calls balanced."
  type        = number
  default     = 10
  nullable    = false

  validation {
    condition     = contains(range(0, 121, 10), var.vpus_per_gb)
    error_message = "A disk has 0, 10, 20, … or 120 performance units a GiB."
  }
}

variable "tags" {
  description = "Further free-form tags for all that is made, where a tenancy asks for some."
  type        = map(string)
  default     = {}
  nullable    = false
}
