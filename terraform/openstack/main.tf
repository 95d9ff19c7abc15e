# The machines of one lab, their disks and their ssh key.

provider "openstack" {
  # null: use the environment and the user's clouds.yaml.
  cloud  = var.cloud != "" ? var.cloud : null
  region = var.region != "" ? var.region : null
}

locals {
  tags = merge(var.tags, {
    kdevops-lab     = var.lab
    kdevops-owner   = var.owner
    kdevops-expires = var.expires
  })

  # Image names differ between clouds; this matches names such as "Debian 12" and "debian-12-genericcloud-arm64".
  debian        = "(?i)^debian[ _-]?(gnu/linux )?1[2-9]([^0-9].*)?"
  image_pattern = coalesce(var.image_pattern, "${local.debian}${var.architecture == "aarch64" ? "(arm64|aarch64).*" : ""}$")
  image         = coalesce(var.image, try(data.openstack_images_image_ids_v2.debian[0].ids[0], null), "none")
}

data "openstack_images_image_ids_v2" "debian" {
  count = var.image == "" ? 1 : 0

  name_regex = local.image_pattern
  sort       = "created_at:desc"

  lifecycle {
    postcondition {
      condition     = length(self.ids) > 0
      error_message = "This cloud has no image whose name matches ${local.image_pattern}: give an image's id. openstack image list shows them."
    }
  }
}

# A machine is replaced if one of these changes. A newer Debian image alone does not replace it.
resource "terraform_data" "machine" {
  input = [var.architecture, var.image, local.image_pattern, var.instance_type]
}

resource "openstack_compute_instance_v2" "node" {
  for_each = var.kdevops_nodes

  name              = each.key
  flavor_name       = var.instance_type
  availability_zone = var.zone != "" ? var.zone : null
  metadata          = local.tags

  # Debian's image allows only "debian" to log in. The public host keys are printed on the console, where the controller reads them.
  user_data = "#cloud-config\n${jsonencode({
    hostname            = each.key
    disable_root        = false
    ssh_pwauth          = false
    ssh_authorized_keys = [var.ssh_public_key]
    ssh_genkeytypes     = ["ed25519"]
    ssh                 = { emit_keys_to_console = true }
  })}"
  config_drive = true

  # The machine boots from a volume, because many flavors have no disk, or one of a different size.
  block_device {
    uuid                  = local.image
    source_type           = "image"
    destination_type      = "volume"
    volume_size           = var.root_size
    volume_type           = var.disk_type != "" ? var.disk_type : null
    boot_index            = 0
    delete_on_termination = true
  }

  network {
    port = openstack_networking_port_v2.node[each.key].id
  }

  lifecycle {
    ignore_changes       = [block_device[0].uuid]
    replace_triggered_by = [terraform_data.machine]

    precondition {
      condition     = var.instance_type != ""
      error_message = "OpenStack clouds choose the names of their flavors: set an instance_type. openstack flavor list shows them."
    }

    precondition {
      condition     = !var.spot
      error_message = "OpenStack has no spot machines: remove spot."
    }
  }

  # The first boot needs Internet access.
  depends_on = [openstack_networking_router_interface_v2.lab]
}

locals {
  volumes = { for each in setproduct(var.kdevops_nodes, range(length(var.disks))) : "${each[0]}-disk-${each[1]}" => {
    node  = each[0]
    index = each[1]
  } }
}

# Without a zone: volumes and machines have different zones.
resource "openstack_blockstorage_volume_v3" "disk" {
  for_each = local.volumes

  name                 = each.key
  size                 = var.disks[each.value.index]
  volume_type          = var.disk_type != "" ? var.disk_type : null
  metadata             = local.tags
  enable_online_resize = true

  lifecycle {
    # Cinder adds its own metadata when a volume is attached.
    ignore_changes = [metadata["attached_mode"], metadata["readonly"]]
  }
}

resource "openstack_compute_volume_attach_v2" "disk" {
  for_each = local.volumes

  instance_id = openstack_compute_instance_v2.node[each.value.node].id
  volume_id   = openstack_blockstorage_volume_v3.disk[each.key].id
}

locals {
  region = coalesce(var.region, openstack_networking_secgroup_v2.lab.region, "of this cloud's default")

  # Virtio's serial numbers have only 20 characters for a volume's id.
  guest_disks = { for name in var.kdevops_nodes : name => [for index in range(length(var.disks)) :
    format(var.disk_path, openstack_compute_volume_attach_v2.disk["${name}-disk-${index}"].volume_id)
  ] }

  cli = concat(
    ["openstack"],
    var.cloud != "" ? ["--os-cloud", var.cloud] : [],
    var.region != "" ? ["--os-region-name", var.region] : [],
  )

  console_commands = { for name, machine in openstack_compute_instance_v2.node : name =>
    concat(local.cli, ["console", "log", "show", machine.id])
  }

  reset_commands = { for name, machine in openstack_compute_instance_v2.node : name =>
    concat(local.cli, ["server", "reboot", "--hard", machine.id])
  }

  # Prints ACTIVE. The power state is "Running" only in the client's tables, and a number in all other formats.
  state_commands = { for name, machine in openstack_compute_instance_v2.node : name =>
    concat(local.cli, ["server", "show", machine.id, "-f", "value", "-c", "status"])
  }
}

locals {
  identities = { for name, machine in openstack_compute_instance_v2.node : name => machine.id }
  summary    = "openstack ${local.region}"
}
