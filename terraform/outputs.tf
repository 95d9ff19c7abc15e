# This file is the same for all clouds; each cloud's main.tf defines these values.

output "controller_ip_map" {
  description = "Machine → address at which the controller reaches its ssh."
  value       = local.addresses
}

output "ssh_ports" {
  description = "Machine → port of its ssh."
  value       = { for name in keys(local.identities) : name => 22 }
}

output "identities" {
  description = "Machine → its id in the cloud, which changes when the machine is replaced."
  value       = local.identities
}

output "disks" {
  description = "Machine → device paths in the guest, in the order of the variable disks."
  value       = local.guest_disks
}

output "console_commands" {
  description = "Machine → argv that prints the output of its serial console so far; empty if the cloud has no console."
  value       = local.console_commands
}

output "reset_commands" {
  description = "Machine → argv that power-cycles it."
  value       = local.reset_commands
}

output "state_commands" {
  description = "Machine → argv that prints running or active, in upper or lower case, while the machine exists and runs."
  value       = local.state_commands
}

output "summary" {
  description = "Location of the machines, in a few words."
  value       = local.summary
}
