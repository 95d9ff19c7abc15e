# The machines of one lab, their disks and their ssh key.

provider "oci" {
  # null: use the environment and the user's own configuration.
  region              = var.region != "" ? var.region : null
  config_file_profile = var.profile != "" ? var.profile : null
}

locals {
  tags = merge(var.tags, {
    kdevops-lab     = var.lab
    kdevops-owner   = var.owner
    kdevops-expires = var.expires
  })

  instance_type = coalesce(var.instance_type, var.architecture == "aarch64" ? "VM.Standard.A1.Flex" : "VM.Standard.E4.Flex")
  flexible      = endswith(local.instance_type, ".Flex")
  ocpus         = var.ocpus != 0 ? var.ocpus : var.architecture == "aarch64" ? 2 : 1

  # A zone is given by its full name (Uocm:PHX-AD-1) or by its end (AD-1).
  zones = data.oci_identity_availability_domains.all.availability_domains[*].name
  zone  = try(sort([for zone in local.zones : zone if endswith(zone, var.zone)])[0], null)

  image = coalesce(var.image, try(data.oci_core_images.ubuntu[0].images[0].id, null), "none")
}

data "oci_identity_availability_domains" "all" {
  compartment_id = var.compartment_id

  lifecycle {
    postcondition {
      condition     = anytrue([for each in self.availability_domains : endswith(each.name, var.zone)])
      error_message = "There is no availability domain ${var.zone}, only ${join(", ", self.availability_domains[*].name)}."
    }
  }
}

# OCI has no Debian images. Ubuntu is the closest distribution that the roles support.
data "oci_core_images" "ubuntu" {
  count = var.image == "" ? 1 : 0

  compartment_id           = var.compartment_id
  operating_system         = "Canonical Ubuntu"
  operating_system_version = var.ubuntu
  shape                    = local.instance_type # images of its architecture
  state                    = "AVAILABLE"
  sort_by                  = "TIMECREATED"
  sort_order               = "DESC"

  lifecycle {
    postcondition {
      condition     = length(self.images) > 0
      error_message = "There is no image of Ubuntu ${var.ubuntu} for ${local.instance_type}: give an image's OCID."
    }
  }
}

# A machine is replaced if one of these changes. A newer Ubuntu image alone does not replace it.
resource "terraform_data" "machine" {
  input = [var.architecture, var.image, var.ubuntu, local.instance_type]
}

resource "oci_core_instance" "node" {
  for_each = var.kdevops_nodes

  availability_domain  = local.zone
  compartment_id       = var.compartment_id
  display_name         = each.key
  shape                = local.instance_type
  preserve_boot_volume = false
  freeform_tags        = local.tags

  dynamic "shape_config" {
    for_each = local.flexible ? [true] : []

    content {
      ocpus         = local.ocpus
      memory_in_gbs = var.memory
    }
  }

  source_details {
    source_type             = "image"
    source_id               = local.image
    boot_volume_size_in_gbs = max(var.root_size, 50) # OCI's minimum
  }

  create_vnic_details {
    subnet_id        = oci_core_subnet.lab.id
    nsg_ids          = [oci_core_network_security_group.lab.id]
    assign_public_ip = true
  }

  # OCI may choose a hardware network card (VFIO) if the image has a driver for it, but the kernel under test does not
  # (oracle-terraform-modules/terraform-oci-compute-instance #109). Settings that are not listed here are taken from the image; for
  # consistent volume names OCI refuses any other setting (oracle/terraform-provider-oci #1564).
  dynamic "launch_options" {
    for_each = startswith(local.instance_type, "VM.") ? [true] : []

    content {
      network_type = "PARAVIRTUALIZED"
    }
  }

  instance_options {
    are_legacy_imds_endpoints_disabled = true # no credentials for processes in the guest that are tricked into a plain GET
  }

  # Ubuntu's image allows only "ubuntu" to log in. The public host keys are printed on the console.
  metadata = {
    ssh_authorized_keys = var.ssh_public_key
    user_data = base64encode("#cloud-config\n${jsonencode({
      hostname            = each.key
      disable_root        = false
      ssh_pwauth          = false
      ssh_authorized_keys = [var.ssh_public_key]
      ssh_genkeytypes     = ["ed25519"]
      ssh                 = { emit_keys_to_console = true }
    })}")
  }

  dynamic "preemptible_instance_config" {
    for_each = var.spot ? [true] : []

    content {
      preemption_action {
        type                 = "TERMINATE"
        preserve_boot_volume = false
      }
    }
  }

  lifecycle {
    ignore_changes       = [source_details[0].source_id]
    replace_triggered_by = [terraform_data.machine]
  }

  # No machine must exist before the rules do, and the first boot needs Internet access.
  depends_on = [oci_core_network_security_group_security_rule.ssh, oci_core_network_security_group_security_rule.out]
}

locals {
  # Possible device names in the guest; the boot volume is oraclevda.
  letters = concat(split("", "bcdefghijklmnopqrstuvwxyz"), formatlist("a%s", split("", "abcdefg")))

  volumes = { for each in setproduct(var.kdevops_nodes, range(length(var.disks))) : "${each[0]}-disk-${each[1]}" => {
    node  = each[0]
    index = each[1]
  } }
}

resource "oci_core_volume" "disk" {
  for_each = local.volumes

  availability_domain = local.zone
  compartment_id      = var.compartment_id
  display_name        = each.key
  size_in_gbs         = var.disks[each.value.index]
  vpus_per_gb         = var.vpus_per_gb
  freeform_tags       = local.tags

  lifecycle {
    precondition {
      condition     = alltrue([for size in var.disks : size >= 50])
      error_message = "An OCI disk has at least 50 GiB, but one of ${min(var.disks...)} GiB is requested."
    }

    precondition {
      condition     = length(var.disks) <= length(local.letters)
      error_message = "OCI has device names for ${length(local.letters)} extra disks per machine, but ${length(var.disks)} are requested."
    }
  }
}

resource "oci_core_volume_attachment" "disk" {
  for_each = local.volumes

  instance_id     = oci_core_instance.node[each.value.node].id
  volume_id       = oci_core_volume.disk[each.key].id
  attachment_type = "paravirtualized" # iSCSI would need commands in the guest
  device          = "/dev/oracleoci/oraclevd${local.letters[each.value.index]}"
  display_name    = each.key
}

locals {
  region = var.region != "" ? var.region : try(values(oci_core_instance.node)[0].region, "")

  guest_disks = { for name in var.kdevops_nodes : name =>
    [for index in range(length(var.disks)) : oci_core_volume_attachment.disk["${name}-disk-${index}"].device]
  }

  cli = concat(
    ["oci"],
    var.profile != "" ? ["--profile", var.profile] : [],
    var.region != "" ? ["--region", var.region] : [],
    ["compute", "instance"],
  )

  # One command captures the console history; another prints it and needs the id that the first returns.
  console_commands = { for name in var.kdevops_nodes : name => tolist([]) }

  reset_commands = { for name, machine in oci_core_instance.node : name =>
    concat(local.cli, ["action", "--action", "RESET", "--instance-id", machine.id])
  }

  # A machine is STARTING for a while after a reset. Raw output prints the plain word; oci_cli_rc may have set another format, such
  # as a table.
  state_commands = { for name, machine in oci_core_instance.node : name =>
    concat(local.cli, ["get", "--instance-id", machine.id, "--output", "json", "--raw-output", "--query", local.state])
  }
  state = "data.\"lifecycle-state\" | (@ == 'STARTING' && 'RUNNING' || @)"
}

locals {
  addresses  = { for name, machine in oci_core_instance.node : name => machine.public_ip }
  identities = { for name, machine in oci_core_instance.node : name => machine.id }
  summary    = trimspace("oci ${local.region}")
}
