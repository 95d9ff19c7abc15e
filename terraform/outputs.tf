# The same file for every cloud, whose main.tf says what these values are.

output "controller_ip_map" {
  description = "Machine → the address at which the controller reaches its ssh."
  value       = local.addresses
}

output "ssh_ports" {
  description = "Machine → the port of its ssh."
  value       = { for name in keys(local.identities) : name => 22 }
}

output "identities" {
  description = "Machine → the cloud's id of it: another one after a replacement."
  value       = local.identities
}

output "disks" {
  description = "Machine → device paths in the guest, in the order of the variable disks."
  value       = local.guest_disks
}

output "console_commands" {
  description = "Machine → argv that prints all that its serial console said so far; empty where the cloud has none."
  value       = local.console_commands
}

output "reset_commands" {
  description = "Machine → argv that power-cycles it."
  value       = local.reset_commands
}

output "state_commands" {
  description = "Machine → argv that prints running or active, in any case, while the machine exists and runs."
  value       = local.state_commands
}

output "summary" {
  description = "Where the machines are, in a few words."
  value       = local.summary
}
