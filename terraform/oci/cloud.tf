# Variables of this cloud only.

variable "compartment_id" {
  description = "The OCID of the compartment in which everything is created. There is no default, because few users may use the root compartment."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^ocid1\\.(compartment|tenancy)\\.[a-z0-9-]*\\.[a-z0-9-]*\\.[a-z0-9]+$", var.compartment_id))
    error_message = "The compartment must be an OCID: ocid1.compartment.oc1..…; oci iam compartment list prints it."
  }
}

variable "profile" {
  description = "The profile in ~/.oci/config; empty for DEFAULT. Terraform ignores OCI_CLI_PROFILE, which the command oci uses."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^([A-Za-z0-9][A-Za-z0-9_.-]*)?$", var.profile))
    error_message = "This is not the name of a profile."
  }
}

variable "network_cidr" {
  description = "Address range of the lab's own network, from which the machines get their addresses."
  type        = string
  default     = "10.66.0.0/24"
  nullable    = false

  validation {
    condition     = can(regex("^(1[6-9]|2[0-9]|30)$", split("/", var.network_cidr)[1])) && try(cidrsubnet(var.network_cidr, 0, 0) == var.network_cidr, false)
    error_message = "An OCI network is an IPv4 range from /16 to /30, such as 10.66.0.0/24."
  }
}

variable "ocpus" {
  description = "OCPUs of a flexible shape: each is two processors on x86_64, one on aarch64. 0 for two processors."
  type        = number
  default     = 0
  nullable    = false

  validation {
    condition     = var.ocpus >= 0 && var.ocpus <= 126 && floor(var.ocpus) == var.ocpus
    error_message = "The number of OCPUs must be a whole number, at most 126."
  }
}

variable "memory" {
  description = "Memory of a flexible shape in GiB."
  type        = number
  default     = 8
  nullable    = false

  validation {
    condition     = var.memory >= 1 && var.memory <= 1760 && floor(var.memory) == var.memory
    error_message = "Memory must be a whole number of GiB, from 1 to 1760."
  }
}

variable "ubuntu" {
  description = "The Ubuntu release to boot if no image is given: OCI has no Debian images."
  type        = string
  default     = "24.04"
  nullable    = false

  validation {
    condition     = can(regex("^[0-9]{2}[.]04( Minimal( aarch64)?)?$", var.ubuntu))
    error_message = "The Ubuntu release must be named as in OCI: 24.04, or 24.04 Minimal."
  }
}

variable "vpus_per_gb" {
  description = "Performance units per GiB of extra disks: 0 is the slowest and cheapest, 10 is what OCI calls balanced."
  type        = number
  default     = 10
  nullable    = false

  validation {
    condition     = contains(range(0, 121, 10), var.vpus_per_gb)
    error_message = "A disk has 0, 10, 20, … or 120 performance units per GiB."
  }
}

variable "tags" {
  description = "Further free-form tags for everything that is created, if the tenancy requires some."
  type        = map(string)
  default     = {}
  nullable    = false
}
