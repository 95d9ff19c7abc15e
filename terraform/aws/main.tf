# The machines of one lab, their disks and their ssh key.

provider "aws" {
  # null: use the environment and the user's shared configuration.
  region = var.region != "" ? var.region : local.region_of_zone

  default_tags {
    tags = merge(var.tags, {
      kdevops-lab     = var.lab
      kdevops-owner   = var.owner
      kdevops-expires = var.expires
    })
  }
}

data "aws_region" "current" {}

locals {
  region         = data.aws_region.current.name
  region_of_zone = try(regex("^([a-z0-9-]+-[0-9]+)[a-z]$", var.zone)[0], null)

  # Debian's and Amazon's names of the architectures.
  debian_architecture = { x86_64 = "amd64", aarch64 = "arm64" }[var.architecture]
  aws_architecture    = { x86_64 = "x86_64", aarch64 = "arm64" }[var.architecture]

  instance_type = var.instance_type != "" ? var.instance_type : {
    x86_64  = "t3.small"
    aarch64 = "t4g.small"
  }[var.architecture]

  # Before Nitro, disks had different names and the console's newest lines were not available.
  nitro = data.aws_ec2_instance_type.chosen.hypervisor != "xen"
}

data "aws_ec2_instance_type" "chosen" {
  instance_type = local.instance_type

  lifecycle {
    postcondition {
      condition     = contains(self.supported_architectures, local.aws_architecture)
      error_message = "Instances of type ${local.instance_type} do not have the architecture ${var.architecture}."
    }
  }
}

data "aws_ami" "chosen" {
  most_recent = var.image == ""
  owners      = var.image == "" ? ["136693071363"] : null # Debian, https://wiki.debian.org/Cloud/AmazonEC2Image

  filter {
    name   = var.image == "" ? "name" : "image-id"
    values = [var.image == "" ? "debian-12-${local.debian_architecture}-*" : var.image]
  }

  lifecycle {
    postcondition {
      condition     = self.architecture == local.aws_architecture
      error_message = "Image ${self.id} has the architecture ${self.architecture}, but the lab has ${var.architecture}."
    }
  }
}

# A machine is replaced if one of these changes. A newer Debian image alone does not replace it.
resource "terraform_data" "machine" {
  input = [var.architecture, var.image, local.instance_type, var.root_size]
}

resource "aws_key_pair" "lab" {
  key_name_prefix = "kdevops-${var.lab}-"
  public_key      = var.ssh_public_key
}

resource "aws_instance" "node" {
  for_each = var.kdevops_nodes

  ami                    = data.aws_ami.chosen.id
  instance_type          = local.instance_type
  key_name               = aws_key_pair.lab.key_name
  subnet_id              = aws_subnet.lab.id
  vpc_security_group_ids = [aws_security_group.lab.id]
  ipv6_address_count     = local.ipv6 ? 1 : null

  # A machine that powers itself off is terminated, like one that AWS took away: the next apply creates it again. A stopped
  # machine would still cost money for its disks, and an apply would not start it.
  instance_initiated_shutdown_behavior = "terminate"

  # Debian's image allows only "admin" to log in. The public host keys are printed on the console, where the controller reads them.
  user_data = "#cloud-config\n${jsonencode({
    hostname            = each.key
    disable_root        = false
    ssh_pwauth          = false
    ssh_authorized_keys = [var.ssh_public_key]
    ssh_genkeytypes     = ["ed25519"]
    ssh                 = { emit_keys_to_console = true }
  })}"
  user_data_replace_on_change = true

  root_block_device {
    volume_type           = var.disk_type
    volume_size           = var.root_size
    encrypted             = true
    delete_on_termination = true
  }

  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required" # IMDSv2
    http_put_response_hop_limit = 1
  }

  dynamic "instance_market_options" {
    for_each = var.spot ? [true] : []

    content {
      market_type = "spot"

      spot_options {
        spot_instance_type             = "one-time"
        instance_interruption_behavior = "terminate"
      }
    }
  }

  tags = { Name = each.key }

  lifecycle {
    ignore_changes       = [ami]
    replace_triggered_by = [terraform_data.machine]
  }

  # The first boot needs Internet access, and the gateway must stay until the last public address is released.
  depends_on = [aws_route.internet, aws_route.internet_ipv6, aws_route_table_association.lab]
}

locals {
  # AWS recommends /dev/sdf and following letters for volumes.
  letters = split("", "fghijklmnopqrstuvwxyz")

  volumes = { for each in setproduct(var.kdevops_nodes, range(length(var.disks))) : "${each[0]}-disk-${each[1]}" => {
    node  = each[0]
    index = each[1]
  } }
}

resource "aws_ebs_volume" "disk" {
  for_each = local.volumes

  availability_zone = aws_subnet.lab.availability_zone
  type              = var.disk_type
  size              = var.disks[each.value.index]
  encrypted         = true

  tags = { Name = each.key }

  lifecycle {
    precondition {
      condition     = length(var.disks) <= length(local.letters)
      error_message = "AWS has device names for ${length(local.letters)} extra disks per machine, but ${length(var.disks)} are requested."
    }
  }
}

resource "aws_volume_attachment" "disk" {
  for_each = local.volumes

  instance_id = aws_instance.node[each.value.node].id
  volume_id   = aws_ebs_volume.disk[each.key].id
  device_name = "/dev/sd${local.letters[each.value.index]}"

  # A guest with a hung kernel would never release its disk, and nothing on it is worth waiting for.
  force_detach = true
}

locals {
  # Nitro presents volumes as NVMe disks, with the volume's id as serial number and in no fixed order; Xen uses the requested letter.
  guest_disks = { for name in var.kdevops_nodes : name => [for index in range(length(var.disks)) : (
    local.nitro
    ? "/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_${replace(aws_ebs_volume.disk["${name}-disk-${index}"].id, "-", "")}"
    : "/dev/xvd${local.letters[index]}"
  )] }

  # The last 64 KiB. Without --latest, AWS returns what it stored when the machine last booted or stopped, which is minutes old.
  console_commands = { for name, machine in aws_instance.node : name => concat(
    ["aws", "ec2", "get-console-output", "--region", local.region, "--instance-id", machine.id],
    local.nitro ? ["--latest"] : [],
    ["--query", "Output", "--output", "text"],
  ) }

  # If the guest does not react, AWS resets it hard after four minutes. A forced stop and a start would not be faster, would change the
  # machine's address, and are not possible for spot instances.
  reset_commands = { for name, machine in aws_instance.node : name =>
    ["aws", "ec2", "reboot-instances", "--region", local.region, "--instance-ids", machine.id]
  }

  state_commands = { for name, machine in aws_instance.node : name => [
    "aws", "ec2", "describe-instances", "--region", local.region, "--instance-ids", machine.id,
    "--query", "Reservations[].Instances[].State.Name", "--output", "text",
  ] }
}

locals {
  addresses = { for name, machine in aws_instance.node : name =>
    length(local.allowed_ipv4) > 0 ? machine.public_ip : one(machine.ipv6_addresses)
  }
  identities = { for name, machine in aws_instance.node : name => machine.id }
  summary    = "aws ${local.region}"
}
