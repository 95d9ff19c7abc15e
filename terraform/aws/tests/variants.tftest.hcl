# Optional settings.

mock_provider "aws" {
  source = "./tests"
}

variables {
  lab            = "demo"
  kdevops_nodes  = ["demo-1"]
  owner          = "ada"
  expires        = "2030-01-31T23:59:59Z"
  disks          = [20]
  ssh_public_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ3y0Kqk3uYHj0c4x2xJwq2v5yWm2mX4d8o1Jc9f3l7R kdevops"
  allowed_cidrs  = ["192.0.2.7/32"]
}

run "spot" {
  command = plan

  variables {
    spot = true
  }

  assert {
    condition = (
      aws_instance.node["demo-1"].instance_market_options[0].market_type == "spot"
      && aws_instance.node["demo-1"].instance_market_options[0].spot_options[0].spot_instance_type == "one-time"
    )
    error_message = "The machine may be taken away."
  }
}

run "arm" {
  command = plan

  variables {
    architecture = "aarch64"
  }

  override_data {
    target = data.aws_ec2_instance_type.chosen
    values = { hypervisor = "nitro", supported_architectures = ["arm64"] }
  }

  override_data {
    target = data.aws_ami.chosen
    values = { id = "ami-0a0a0a0a0a0a0a0a0", architecture = "arm64" }
  }

  assert {
    condition     = aws_instance.node["demo-1"].instance_type == "t4g.small"
    error_message = "The machine is the cheapest sane one of Arm."
  }

  assert {
    condition     = anytrue([for each in data.aws_ami.chosen.filter : contains(each.values, "debian-12-arm64-*")])
    error_message = "The image is looked for among those of Arm."
  }
}

run "an_own_image" {
  command = plan

  variables {
    image = "ami-0123456789abcdef0"
  }

  assert {
    condition     = data.aws_ami.chosen.owners == null && anytrue([for each in data.aws_ami.chosen.filter : each.name == "image-id"])
    error_message = "The image is taken by its id, whoever owns it."
  }
}

run "ipv6" {
  variables {
    allowed_cidrs = ["2001:db8:1::/64"]
  }

  assert {
    condition = (
      aws_vpc_security_group_ingress_rule.ssh["2001:db8:1::/64"].cidr_ipv6 == "2001:db8:1::/64"
      && aws_vpc_security_group_ingress_rule.ssh["2001:db8:1::/64"].cidr_ipv4 == null
    )
    error_message = "The range gets in."
  }

  assert {
    condition     = aws_subnet.lab.ipv6_cidr_block == "2001:db8:0:100::/64" && length(aws_route.internet_ipv6) == 1
    error_message = "The network has IPv6, and a way out."
  }

  assert {
    condition     = output.controller_ip_map["demo-1"] == "2001:db8::7"
    error_message = "Who comes by IPv6 alone finds the machine there."
  }
}

run "before_nitro" {
  variables {
    instance_type = "t2.small"
  }

  override_data {
    target = data.aws_ec2_instance_type.chosen
    values = { hypervisor = "xen", supported_architectures = ["i386", "x86_64"] }
  }

  assert {
    condition     = output.disks["demo-1"] == ["/dev/xvdf"] && !contains(output.console_commands["demo-1"], "--latest")
    error_message = "Xen has other names for disks, and no latest lines of the console."
  }
}

run "no_disks" {
  variables {
    disks = []
  }

  assert {
    condition     = length(aws_ebs_volume.disk) == 0 && length(output.disks["demo-1"]) == 0
    error_message = "No disks are none."
  }
}

run "the_zone_tells_the_region" {
  command = plan

  variables {
    zone = "eu-central-1b"
  }

  assert {
    condition     = local.region_of_zone == "eu-central-1" && aws_subnet.lab.availability_zone == "eu-central-1b"
    error_message = "The zone is where it was asked for."
  }
}
