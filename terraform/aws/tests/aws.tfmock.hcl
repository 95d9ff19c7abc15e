# The answers of the mocked provider.

mock_data "aws_region" {
  defaults = { name = "eu-central-1" }
}

mock_data "aws_ec2_instance_type" {
  defaults = { hypervisor = "nitro", supported_architectures = ["x86_64"] }
}

mock_data "aws_ami" {
  defaults = { id = "ami-0123456789abcdef0", architecture = "x86_64" }
}

mock_data "aws_availability_zones" {
  defaults = { names = ["eu-central-1a", "eu-central-1b", "eu-central-1c"] }
}

mock_data "aws_ec2_instance_type_offerings" {
  defaults = { locations = ["eu-central-1-ham-1a", "eu-central-1c", "eu-central-1b"] }
}

mock_resource "aws_vpc" {
  defaults = { ipv6_cidr_block = "2001:db8:0:100::/56" }
}

mock_resource "aws_subnet" {
  defaults = { availability_zone = "eu-central-1b" }
}

mock_resource "aws_instance" {
  defaults = { id = "i-0123456789abcdef0", public_ip = "198.51.100.7", ipv6_addresses = ["2001:db8::7"] }
}

mock_resource "aws_ebs_volume" {
  defaults = { id = "vol-0123456789abcdef0" }
}
