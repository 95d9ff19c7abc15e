# Values that are refused before AWS is contacted, or before anything is created.

mock_provider "aws" {
  source = "./tests"
}

variables {
  lab            = "demo"
  kdevops_nodes  = ["demo-1"]
  owner          = "ada"
  expires        = "2030-01-31T23:59:59Z"
  ssh_public_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ3y0Kqk3uYHj0c4x2xJwq2v5yWm2mX4d8o1Jc9f3l7R kdevops"
  allowed_cidrs  = ["192.0.2.7/32"]
}

# Each variable named here must be refused, regardless of the others.

run "input_1" {
  command = plan

  variables {
    allowed_cidrs  = ["192.0.2.7/32", "0.0.0.0/0"]
    lab            = "Demo"
    kdevops_nodes  = ["-demo"]
    owner          = "ada\nroot"
    expires        = "tomorrow"
    disks          = [10, 0]
    region         = "--profile"
    zone           = "-a"
    instance_type  = "--type"
    image          = "-ami"
    architecture   = "arm64"
    root_size      = 4
    ssh_public_key = "-----BEGIN OPENSSH PRIVATE KEY-----"
    network_cidr   = "10.0.0.0/8"
    disk_type      = "ssd"
  }

  expect_failures = [
    var.allowed_cidrs,
    var.lab,
    var.kdevops_nodes,
    var.owner,
    var.expires,
    var.disks,
    var.region,
    var.zone,
    var.instance_type,
    var.image,
    var.architecture,
    var.root_size,
    var.ssh_public_key,
    var.network_cidr,
    var.disk_type,
  ]
}

run "input_2" {
  command = plan

  variables {
    allowed_cidrs  = ["::/0"]
    lab            = "demo-"
    kdevops_nodes  = ["../demo"]
    owner          = ""
    expires        = "2030-01-31T23:59:59+02:00"
    disks          = [null]
    region         = "eu central"
    architecture   = "x86_64\n"
    root_size      = 8.5
    ssh_public_key = "command=\"id\" ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ3y0Kqk3uYHj0c4x2xJwq2v5yWm2mX4d8o1Jc9f3l7R"
    network_cidr   = "10.0.0.1/24"
  }

  expect_failures = [
    var.allowed_cidrs,
    var.lab,
    var.kdevops_nodes,
    var.owner,
    var.expires,
    var.disks,
    var.region,
    var.architecture,
    var.root_size,
    var.ssh_public_key,
    var.network_cidr,
  ]
}

run "input_3" {
  command = plan

  variables {
    allowed_cidrs  = []
    lab            = "a23456789012345678901234567890123"
    kdevops_nodes  = ["demo-1", ""]
    owner          = "--ada"
    expires        = "2030-01-31"
    disks          = [1.5]
    region         = "eu\n"
    architecture   = ""
    root_size      = -30
    ssh_public_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ3y0Kqk3uYHj0c4x2xJwq2v5yWm2mX4d8o1Jc9f3l7R\nssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ3y0Kqk3uYHj0c4x2xJwq2v5yWm2mX4d8o1Jc9f3l7R"
    network_cidr   = "2001:db8::/64"
  }

  expect_failures = [
    var.allowed_cidrs,
    var.lab,
    var.kdevops_nodes,
    var.owner,
    var.expires,
    var.disks,
    var.region,
    var.architecture,
    var.root_size,
    var.ssh_public_key,
    var.network_cidr,
  ]
}

run "input_4" {
  command = plan

  variables {
    allowed_cidrs  = ["192.0.2.7"]
    lab            = "demo\nmore"
    kdevops_nodes  = ["demo_1"]
    owner          = "ada ada"
    expires        = ""
    disks          = [-1]
    ssh_public_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ3y0Kqk3uYHj0c4x2xJwq2v5yWm2mX4d8o1Jc9f3l7R two words"
  }

  expect_failures = [
    var.allowed_cidrs,
    var.lab,
    var.kdevops_nodes,
    var.owner,
    var.expires,
    var.disks,
    var.ssh_public_key,
  ]
}

run "input_5" {
  command = plan

  variables {
    allowed_cidrs  = ["192.0.2.7/24"]
    lab            = ""
    kdevops_nodes  = ["demo-1\n"]
    expires        = "2030-02-31T00:00:00Z"
    ssh_public_key = ""
  }

  expect_failures = [
    var.allowed_cidrs,
    var.lab,
    var.kdevops_nodes,
    var.expires,
    var.ssh_public_key,
  ]
}

run "input_6" {
  command = plan

  variables {
    allowed_cidrs = ["office"]
    lab           = "-demo"
  }

  expect_failures = [
    var.allowed_cidrs,
    var.lab,
  ]
}

run "a_type_of_another_architecture" {
  command = plan

  variables {
    instance_type = "t4g.small"
  }

  override_data {
    target = data.aws_ec2_instance_type.chosen
    values = { hypervisor = "nitro", supported_architectures = ["arm64"] }
  }

  expect_failures = [data.aws_ec2_instance_type.chosen]
}

run "an_image_of_another_architecture" {
  command = plan

  variables {
    image = "ami-0a0a0a0a0a0a0a0a0"
  }

  override_data {
    target = data.aws_ami.chosen
    values = { id = "ami-0a0a0a0a0a0a0a0a0", architecture = "arm64" }
  }

  expect_failures = [data.aws_ami.chosen]
}

run "a_region_without_the_type" {
  command = plan

  override_data {
    target = data.aws_ec2_instance_type_offerings.zones
    values = { locations = [] }
  }

  expect_failures = [aws_subnet.lab]
}

run "a_zone_without_the_type" {
  command = plan

  variables {
    zone = "eu-central-1a"
  }

  expect_failures = [aws_subnet.lab]
}

run "more_disks_than_letters" {
  command = plan

  variables {
    disks = [for each in range(22) : 1]
  }

  expect_failures = [aws_ebs_volume.disk]
}
