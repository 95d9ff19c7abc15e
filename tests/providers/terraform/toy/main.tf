# A cloud that is nowhere: every machine is a value, and its state a file.
terraform {
  required_version = ">= 1.5"
}

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

variable "states" {
  description = "Directory with a file for each machine that is not running."
  type        = string
  default     = "/nonexistent"
}
variable "command" {
  description = "Run when the lab is made."
  type        = list(string)
  default     = ["true"]
}
variable "anything" {
  type    = any
  default = ""
}

resource "terraform_data" "lab" {
  input = { anything = var.anything, allowed = sort(var.allowed_cidrs), expires = var.expires }

  provisioner "local-exec" {
    interpreter = var.command
    command     = "made"
  }
}

resource "terraform_data" "node" {
  for_each         = var.kdevops_nodes
  input            = { instance_type = var.instance_type, disks = var.disks }
  triggers_replace = [var.image]
  depends_on       = [terraform_data.lab]
}

# The first disk comes with its machine.
resource "terraform_data" "disk" {
  for_each = { for each in setproduct(var.kdevops_nodes, range(1, max(1, length(var.disks)))) : "${each[0]}-disk-${each[1]}" => each }
  input    = each.value
}

output "controller_ip_map" { value = { for name, node in terraform_data.node : name => "127.0.0.1" } }
output "ssh_ports" { value = { for name, node in terraform_data.node : name => 2200 } }
output "identities" { value = { for name, node in terraform_data.node : name => node.id } }
output "disks" {
  value = { for name, node in terraform_data.node : name => [for number, size in var.disks : "/dev/disk/by-id/d${number}"] }
}
output "console_commands" { value = { for name, node in terraform_data.node : name => ["echo", "console of ${name}"] } }
output "reset_commands" { value = { for name, node in terraform_data.node : name => ["true"] } }
output "state_commands" {
  value = { for name, node in terraform_data.node : name => ["sh", "-c", "cat $1 2>/dev/null || echo RUNNING", "sh", "${var.states}/${name}"] }
}
output "summary" { value = "toy ${var.region}" }
output "anything" { value = terraform_data.lab.output.anything }
