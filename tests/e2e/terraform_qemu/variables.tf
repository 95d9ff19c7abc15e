variable "lab" { type = string }
variable "kdevops_nodes" { type = set(string) }
variable "owner" { type = string }
variable "expires" { type = string }
variable "region" { type = string }
variable "zone" { type = string }
variable "instance_type" { type = string }
variable "architecture" { type = string }
variable "image" { type = string }
variable "root_size" { type = number }
variable "disks" { type = list(number) }
variable "ssh_public_key" { type = string }
variable "allowed_cidrs" { type = set(string) }
variable "spot" { type = bool }

variable "directory" {
  description = "Where the machines' disks and consoles are."
  type        = string
}

variable "box" {
  description = "A qcow2 disk that boots by itself and lets systemd put a key in; machines get a copy-on-write overlay."
  type        = string
}

variable "ports" {
  description = "Machine → the port on loopback that is its ssh."
  type        = map(number)
}

variable "slow" {
  description = "Seconds that making a machine takes longer."
  type        = number
  default     = 0
}
