# The machines of one lab, their disks and their ssh key.

provider "azurerm" {
  subscription_id = var.subscription_id != "" ? var.subscription_id : null

  # A user who may not create a group may not enable services of the subscription either.
  resource_provider_registrations = var.resource_group != "" ? "none" : "core"

  features {
    resource_group {
      # The group belongs to the lab, so it is deleted together with anything that evicted machines left in it.
      prevent_deletion_if_contains_resources = false
    }
  }
}

locals {
  # Azure's tools have no default region that Terraform could read.
  region = coalesce(var.region, one(data.azurerm_resource_group.given[*].location), "eastus2")
  group  = one(concat(data.azurerm_resource_group.given[*].name, azurerm_resource_group.lab[*].name))
  zone   = var.zone != "" ? var.zone : null

  tags = merge(var.tags, {
    kdevops-lab     = var.lab
    kdevops-owner   = var.owner
    kdevops-expires = var.expires
  })

  # The smallest size that is not throttled, is available as spot and takes enough disks: 2 processors take 4, 4 take 8, 8 take 16.
  processors    = length(var.disks) <= 4 ? 2 : length(var.disks) <= 8 ? 4 : 8
  instance_type = coalesce(var.instance_type, "Standard_D${local.processors}${local.aarch64 ? "p" : "a"}s_v5")
  aarch64       = var.architecture == "aarch64"

  # A publisher's image has a name of four parts; your own image has a resource id.
  image      = coalesce(var.image, "Debian:debian-${var.debian}:${var.debian}-${local.aarch64 ? "arm64" : "gen2"}:latest")
  image_name = strcontains(local.image, ":") ? split(":", local.image) : null
}

data "azurerm_resource_group" "given" {
  count = var.resource_group != "" ? 1 : 0

  name = var.resource_group
}

resource "azurerm_resource_group" "lab" {
  count = var.resource_group != "" ? 0 : 1

  name     = "kdevops-${var.lab}"
  location = local.region
  tags     = local.tags
}

# A machine is replaced if one of these changes. A newer image alone does not replace it. Without this the provider would resize a
# running machine, which restarts it or leaves it deallocated.
resource "terraform_data" "machine" {
  input = [var.architecture, local.image, local.instance_type]
}

resource "azurerm_linux_virtual_machine" "node" {
  for_each = var.kdevops_nodes

  name                  = each.key
  computer_name         = each.key
  resource_group_name   = local.group
  location              = local.region
  zone                  = local.zone
  size                  = local.instance_type
  network_interface_ids = [azurerm_network_interface.node[each.key].id]

  # Azure requires a user other than root; nothing uses it. The public host keys are printed on the console, where the controller
  # reads them.
  admin_username                  = "kdevops"
  disable_password_authentication = true
  custom_data = base64encode("#cloud-config\n${jsonencode({
    disable_root        = false
    ssh_pwauth          = false
    ssh_authorized_keys = [var.ssh_public_key]
    ssh_genkeytypes     = ["ed25519"]
    ssh                 = { emit_keys_to_console = true }
  })}")

  # An evicted machine is deleted, and the next apply creates it again. A deallocated one would count as existing.
  priority        = var.spot ? "Spot" : "Regular"
  eviction_policy = var.spot ? "Delete" : null

  source_image_id = local.image_name == null ? "/${trimprefix(local.image, "/")}" : null

  dynamic "source_image_reference" {
    for_each = local.image_name == null ? [] : [local.image_name]

    content {
      publisher = source_image_reference.value[0]
      offer     = try(source_image_reference.value[1], "")
      sku       = try(source_image_reference.value[2], "")
      version   = try(source_image_reference.value[3], "")
    }
  }

  admin_ssh_key {
    username   = "kdevops"
    public_key = var.ssh_public_key
  }

  # Without a name: the disk of an evicted machine may still have it.
  os_disk {
    caching              = "ReadWrite"
    storage_account_type = var.disk_type
    disk_size_gb         = max(var.root_size, 30) # Debian's image has 30 GiB, and a disk cannot be smaller than its image
  }

  # Empty: Azure itself stores the console, free of charge.
  boot_diagnostics {}

  tags = local.tags

  lifecycle {
    ignore_changes       = [source_image_id, source_image_reference]
    replace_triggered_by = [terraform_data.machine]

    precondition {
      condition     = local.image_name == null || try(length(local.image_name) == 4, false)
      error_message = "An Azure image is PUBLISHER:OFFER:SKU:VERSION, or a resource id: /subscriptions/…"
    }

    # Azure detaches the root disk of a machine that it evicts, and the provider cannot change that. Terraform does not know such a
    # disk, so it is deleted only together with a group of the lab's own.
    precondition {
      condition     = !(var.spot && var.resource_group != "")
      error_message = "If Azure evicts a spot machine, its root disk would stay in ${var.resource_group} and cost money for ever: remove spot, or remove resource_group to get the lab's own group, which is deleted with everything in it."
    }
  }
}

locals {
  volumes = { for each in setproduct(var.kdevops_nodes, range(length(var.disks))) : "${each[0]}-disk-${each[1]}" => {
    node  = each[0]
    index = each[1]
  } }
}

resource "azurerm_managed_disk" "disk" {
  for_each = local.volumes

  name                 = each.key
  resource_group_name  = local.group
  location             = local.region
  zone                 = local.zone
  create_option        = "Empty"
  storage_account_type = var.disk_type
  disk_size_gb         = var.disks[each.value.index]
  tags                 = local.tags
}

resource "azurerm_virtual_machine_data_disk_attachment" "disk" {
  for_each = local.volumes

  virtual_machine_id = azurerm_linux_virtual_machine.node[each.value.node].id
  managed_disk_id    = azurerm_managed_disk.disk[each.key].id
  lun                = each.value.index
  caching            = "None"
}

locals {
  # Links that udev creates in every image that Azure endorses.
  guest_disks = { for name in var.kdevops_nodes : name =>
    [for index in range(length(var.disks)) : "/dev/disk/azure/scsi1/lun${index}"]
  }

  # The log is one string. Only tsv prints it as text: in JSON, the default, line breaks are escaped.
  console_commands = { for name, machine in azurerm_linux_virtual_machine.node : name =>
    ["az", "vm", "boot-diagnostics", "get-boot-log", "--ids", machine.id, "--output", "tsv"]
  }

  # A forced restart moves the machine to another host and takes minutes, so the command does not wait for it. Without force, Azure
  # waits a quarter of an hour for a hung guest.
  reset_commands = { for name, machine in azurerm_linux_virtual_machine.node : name =>
    ["az", "vm", "restart", "--force", "--no-wait", "--ids", machine.id]
  }

  state_commands = { for name, machine in azurerm_linux_virtual_machine.node : name => [
    "az", "vm", "get-instance-view", "--ids", machine.id,
    "--query", "instanceView.statuses[?code=='PowerState/running' || code=='PowerState/starting'] | ([0] && 'running')",
    "--output", "tsv",
  ] }
}

locals {
  addresses  = { for name, address in azurerm_public_ip.node : name => address.ip_address }
  identities = { for name, machine in azurerm_linux_virtual_machine.node : name => machine.virtual_machine_id }
  summary    = "azure ${local.region}"
}
