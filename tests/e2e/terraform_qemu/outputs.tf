output "controller_ip_map" {
  value = { for name in keys(terraform_data.node) : name => "127.0.0.1" }
}

output "ssh_ports" {
  value = { for name in keys(terraform_data.node) : name => var.ports[name] }
}

output "identities" {
  value = { for name, node in terraform_data.node : name => node.id }
}

output "disks" {
  value = { for name in keys(terraform_data.node) : name => [for number in range(length(var.disks)) : "/dev/disk/by-id/virtio-data${number}"] }
}

output "console_commands" {
  value = { for name in keys(terraform_data.node) : name => [local.script, "console", "${var.directory}/${name}"] }
}

output "reset_commands" {
  value = { for name in keys(terraform_data.node) : name => [local.script, "reset", "${var.directory}/${name}"] }
}

output "state_commands" {
  value = { for name in keys(terraform_data.node) : name => [local.script, "state", "${var.directory}/${name}"] }
}

output "summary" {
  value = "this machine"
}
