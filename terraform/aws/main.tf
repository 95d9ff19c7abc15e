# The machines of one lab, their disks and the key that opens them.

provider "aws" {
  # null leaves it to the environment and the shared configuration of the user.
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

  # Debian's and Amazon's own names of the architectures.
  debian_architecture = { x86_64 = "amd64", aarch64 = "arm64" }[var.architecture]
  aws_architecture    = { x86_64 = "x86_64", aarch64 = "arm64" }[var.architecture]

  instance_type = var.instance_type != "" ? var.instance_type : {
    x86_64  = "t3.small"
    aarch64 = "t4g.small"
  }[var.architecture]

  # Before Nitro, disks had other names and the console's newest lines were not to be had.
  nitro = data.aws_ec2_instance_type.chosen.hypervisor != "xen"
}

data "aws_ec2_instance_type" "chosen" {
  instance_type = local.instance_type

  lifecycle {
    postcondition {
      condition     = contains(self.supported_architectures, local.aws_architecture)
      error_message = "Instances of type ${local.instance_type} are not of architecture ${var.architecture}."
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
      error_message = "Image ${self.id} is of architecture ${self.architecture}, and the lab's is ${var.architecture}."
    }
  }
}

# What a machine is made anew for. A newer image of Debian is no reason, so instances ignore it unless one of these changed.
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

  # A machine that powers itself off is gone as one that was taken away is: the next apply makes it anew. Were it to stop, it
  # would cost its disks, and an apply would not start it.
  instance_initiated_shutdown_behavior = "terminate"

  # Debian's image lets in "admin" alone. The public host keys go to the console, where the controller reads them.
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

  # The first boot finds the way out; and the gateway stays until the last public address is given back.
  depends_on = [aws_route.internet, aws_route.internet_ipv6, aws_route_table_association.lab]
}

locals {
  # /dev/sdf and on are the letters that AWS recommends for volumes.
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
      error_message = "AWS has device names for ${length(local.letters)} extra disks of a machine, and ${length(var.disks)} are asked for."
    }
  }
}

resource "aws_volume_attachment" "disk" {
  for_each = local.volumes

  instance_id = aws_instance.node[each.value.node].id
  volume_id   = aws_ebs_volume.disk[each.key].id
  device_name = "/dev/sd${local.letters[each.value.index]}"

  # A guest whose kernel hangs would never let go of its disk. There is nothing on it that is worth waiting for.
  force_detach = true
}

locals {
  # Nitro shows volumes as NVMe, with the volume's id as serial number and in no order; Xen gives them the letter asked for.
  guest_disks = { for name in var.kdevops_nodes : name => [for index in range(length(var.disks)) : (
    local.nitro
    ? "/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_${replace(aws_ebs_volume.disk["${name}-disk-${index}"].id, "-", "")}"
    : "/dev/xvd${local.letters[index]}"
  )] }

  # The last 64 KiB. Without --latest it is what AWS kept when the machine last booted or stopped, minutes old at best.
  console_commands = { for name, machine in aws_instance.node : name => concat(
    ["aws", "ec2", "get-console-output", "--region", local.region, "--instance-id", machine.id],
    local.nitro ? ["--latest"] : [],
    ["--query", "Output", "--output", "text"],
  ) }

  # A guest that does not answer to it is reset hard after four minutes. Stopping by force and starting again would be no faster,
  # would change the machine's address, and cannot be done to a spot instance.
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
