locals {
  script = abspath("${path.module}/machine.sh")
}

# What a machine leaves is destroyed with this, also when its first boot was interrupted: a resource whose own provisioner
# did not end is not asked to clean up.
resource "terraform_data" "home" {
  for_each = var.kdevops_nodes
  input    = { script = local.script, path = "${var.directory}/${each.key}" }

  provisioner "local-exec" {
    when        = destroy
    command     = "exec \"$SCRIPT\" destroy \"$PLACE\""
    environment = { SCRIPT = self.input.script, PLACE = self.input.path }
  }
}

resource "terraform_data" "node" {
  for_each         = var.kdevops_nodes
  input            = { home = terraform_data.home[each.key].id }
  triggers_replace = [terraform_data.home[each.key].id, var.box, var.disks, var.ssh_public_key]

  provisioner "local-exec" {
    command = "exec \"$SCRIPT\" create \"$PLACE\""
    environment = {
      SCRIPT = local.script
      PLACE  = "${var.directory}/${each.key}"
      PORT   = var.ports[each.key]
      BOX    = var.box
      DISKS  = join(" ", var.disks)
      KEY    = base64encode("${var.ssh_public_key}\n")
      SLOW   = var.slow
    }
  }
}
