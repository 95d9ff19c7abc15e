# The module's resources, with a mocked provider.

mock_provider "aws" {
  source = "./tests"
}

variables {
  lab            = "demo"
  kdevops_nodes  = ["demo-1", "demo-2"]
  owner          = "ada"
  expires        = "2030-01-31T23:59:59Z"
  disks          = [20, 10]
  ssh_public_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ3y0Kqk3uYHj0c4x2xJwq2v5yWm2mX4d8o1Jc9f3l7R kdevops"
  allowed_cidrs  = ["192.0.2.7/32", "198.51.100.0/24"]
}

run "two_machines" {
  assert {
    condition     = toset(keys(aws_instance.node)) == var.kdevops_nodes
    error_message = "There is a machine of each name."
  }

  assert {
    condition     = alltrue([for name, machine in aws_instance.node : machine.tags.Name == name])
    error_message = "A machine is called as the guest is."
  }

  assert {
    condition     = alltrue([for machine in aws_instance.node : machine.instance_type == "t3.small" && machine.ami == "ami-0123456789abcdef0"])
    error_message = "A machine has the cheapest sane type and Debian's image."
  }

  assert {
    condition     = alltrue([for machine in aws_instance.node : machine.metadata_options[0].http_tokens == "required"])
    error_message = "The metadata service asks for a token."
  }

  assert {
    condition = alltrue([for machine in aws_instance.node :
      machine.root_block_device[0].encrypted && machine.root_block_device[0].volume_type == "gp3" && machine.root_block_device[0].volume_size == 30
    ])
    error_message = "The root disk is gp3, encrypted, and as big as was said."
  }

  assert {
    condition     = alltrue([for machine in aws_instance.node : length(machine.instance_market_options) == 0])
    error_message = "Nobody asked for spot instances."
  }

  assert {
    condition = alltrue([for name, machine in aws_instance.node :
      yamldecode(machine.user_data).ssh_authorized_keys == [var.ssh_public_key]
      && yamldecode(machine.user_data).disable_root == false
      && yamldecode(machine.user_data).hostname == name
      && startswith(machine.user_data, "#cloud-config\n")
    ])
    error_message = "cloud-init lets root in with the lab's key."
  }

  assert {
    condition     = toset(keys(aws_ebs_volume.disk)) == toset(["demo-1-disk-0", "demo-1-disk-1", "demo-2-disk-0", "demo-2-disk-1"])
    error_message = "Each machine has a volume for each disk."
  }

  assert {
    condition = alltrue([for name in var.kdevops_nodes :
      aws_ebs_volume.disk["${name}-disk-0"].size == 20 && aws_ebs_volume.disk["${name}-disk-1"].size == 10
      && aws_volume_attachment.disk["${name}-disk-0"].device_name == "/dev/sdf"
      && aws_volume_attachment.disk["${name}-disk-1"].device_name == "/dev/sdg"
    ])
    error_message = "Volumes keep the order in which they were asked for."
  }

  assert {
    condition     = alltrue([for volume in aws_ebs_volume.disk : volume.encrypted && volume.type == "gp3" && volume.availability_zone == "eu-central-1b"])
    error_message = "A volume is gp3, encrypted, and in the machines' zone."
  }

  assert {
    condition     = toset([for rule in aws_vpc_security_group_ingress_rule.ssh : rule.cidr_ipv4]) == var.allowed_cidrs
    error_message = "The allowed ranges get in, and nobody else."
  }

  assert {
    condition = alltrue([for rule in aws_vpc_security_group_ingress_rule.ssh :
      rule.ip_protocol == "tcp" && rule.from_port == 22 && rule.to_port == 22 && rule.cidr_ipv6 == null
    ])
    error_message = "They get to ssh, and to nothing else."
  }

  assert {
    condition     = aws_vpc.lab.assign_generated_ipv6_cidr_block == false && length(aws_route.internet_ipv6) == 0
    error_message = "There is no IPv6 where nobody comes by it."
  }

  assert {
    condition     = aws_subnet.lab.availability_zone == "eu-central-1b"
    error_message = "The zone is the first regular one that has the type."
  }

  assert {
    condition     = output.controller_ip_map == { demo-1 = "198.51.100.7", demo-2 = "198.51.100.7" }
    error_message = "Machines are reached by their public addresses."
  }

  assert {
    condition     = output.ssh_ports == { demo-1 = 22, demo-2 = 22 } && output.summary == "aws eu-central-1"
    error_message = "ssh has its usual port, and the summary says where."
  }

  assert {
    condition     = output.identities["demo-2"] == "i-0123456789abcdef0"
    error_message = "A machine's identity is its id."
  }

  assert {
    condition     = output.disks["demo-1"] == [for each in [1, 2] : "/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_vol0123456789abcdef0"]
    error_message = "A disk is found by its volume's id, whatever the order in which NVMe names them."
  }

  assert {
    condition     = join(" ", output.console_commands["demo-1"]) == "aws ec2 get-console-output --region eu-central-1 --instance-id i-0123456789abcdef0 --latest --query Output --output text"
    error_message = "The console is asked for what it says now."
  }

  assert {
    condition     = join(" ", output.reset_commands["demo-1"]) == "aws ec2 reboot-instances --region eu-central-1 --instance-ids i-0123456789abcdef0"
    error_message = "A reset keeps the machine and its address."
  }

  assert {
    condition     = join(" ", output.state_commands["demo-1"]) == "aws ec2 describe-instances --region eu-central-1 --instance-ids i-0123456789abcdef0 --query Reservations[].Instances[].State.Name --output text"
    error_message = "The state is a word."
  }
}

run "another_image_of_debian_replaces_nothing" {
  override_data {
    target = data.aws_ami.chosen
    values = { id = "ami-0fedcba9876543210", architecture = "x86_64" }
  }

  assert {
    condition     = alltrue([for machine in aws_instance.node : machine.ami == "ami-0123456789abcdef0"])
    error_message = "Machines that exist keep the image that they have."
  }
}

run "one_machine_less" {
  variables {
    kdevops_nodes = ["demo-2"]
  }

  assert {
    condition     = keys(aws_instance.node) == ["demo-2"] && length(aws_ebs_volume.disk) == 2 && keys(output.disks) == ["demo-2"]
    error_message = "A machine goes with its disks."
  }
}
