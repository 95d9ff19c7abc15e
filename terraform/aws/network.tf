# The lab's own network: outgoing connections are unrestricted; incoming, only ssh from the caller's addresses is allowed.

locals {
  allowed_ipv4 = toset([for range in var.allowed_cidrs : range if !strcontains(range, ":")])
  allowed_ipv6 = toset([for range in var.allowed_cidrs : range if strcontains(range, ":")])
  ipv6         = length(local.allowed_ipv6) > 0
}

data "aws_availability_zones" "regular" {
  state = "available"

  filter {
    # Local zones offer few types and cost more.
    name   = "opt-in-status"
    values = ["opt-in-not-required"]
  }
}

data "aws_ec2_instance_type_offerings" "zones" {
  location_type = "availability-zone"

  filter {
    name   = "instance-type"
    values = [local.instance_type]
  }
}

locals {
  zones = sort(setintersection(data.aws_availability_zones.regular.names, data.aws_ec2_instance_type_offerings.zones.locations))
  zone  = var.zone != "" ? var.zone : try(local.zones[0], null)
}

# The zone is chosen once: if AWS later offers the type in another zone, the machines must not be replaced.
resource "terraform_data" "zone" {
  input = [local.region, var.zone]
}

resource "aws_vpc" "lab" {
  cidr_block                       = var.network_cidr
  assign_generated_ipv6_cidr_block = local.ipv6
  enable_dns_support               = true
  enable_dns_hostnames             = true

  tags = { Name = "kdevops-${var.lab}" }
}

resource "aws_subnet" "lab" {
  vpc_id                          = aws_vpc.lab.id
  availability_zone               = local.zone
  cidr_block                      = var.network_cidr
  ipv6_cidr_block                 = local.ipv6 ? cidrsubnet(aws_vpc.lab.ipv6_cidr_block, 8, 0) : null
  map_public_ip_on_launch         = true
  assign_ipv6_address_on_creation = local.ipv6

  tags = { Name = "kdevops-${var.lab}" }

  lifecycle {
    ignore_changes       = [availability_zone]
    replace_triggered_by = [terraform_data.zone]

    precondition {
      condition     = contains(data.aws_ec2_instance_type_offerings.zones.locations, coalesce(local.zone, "none"))
      error_message = "Instances of type ${local.instance_type} are not available in ${var.zone != "" ? var.zone : local.region}."
    }
  }
}

resource "aws_internet_gateway" "lab" {
  vpc_id = aws_vpc.lab.id

  tags = { Name = "kdevops-${var.lab}" }
}

resource "aws_route_table" "lab" {
  vpc_id = aws_vpc.lab.id

  tags = { Name = "kdevops-${var.lab}" }
}

resource "aws_route" "internet" {
  route_table_id         = aws_route_table.lab.id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.lab.id
}

resource "aws_route" "internet_ipv6" {
  count = local.ipv6 ? 1 : 0

  route_table_id              = aws_route_table.lab.id
  destination_ipv6_cidr_block = "::/0"
  gateway_id                  = aws_internet_gateway.lab.id
}

resource "aws_route_table_association" "lab" {
  subnet_id      = aws_subnet.lab.id
  route_table_id = aws_route_table.lab.id
}

resource "aws_security_group" "lab" {
  name_prefix = "kdevops-${var.lab}-"
  description = "ssh from where the controller is, and everything outwards"
  vpc_id      = aws_vpc.lab.id

  tags = { Name = "kdevops-${var.lab}" }
}

resource "aws_vpc_security_group_ingress_rule" "ssh" {
  for_each = var.allowed_cidrs

  security_group_id = aws_security_group.lab.id
  description       = "ssh"
  ip_protocol       = "tcp"
  from_port         = 22
  to_port           = 22
  cidr_ipv4         = contains(local.allowed_ipv4, each.key) ? each.key : null
  cidr_ipv6         = contains(local.allowed_ipv6, each.key) ? each.key : null
}

resource "aws_vpc_security_group_egress_rule" "all" {
  for_each = local.ipv6 ? toset(["0.0.0.0/0", "::/0"]) : toset(["0.0.0.0/0"])

  security_group_id = aws_security_group.lab.id
  description       = "everything"
  ip_protocol       = "-1"
  cidr_ipv4         = strcontains(each.key, ":") ? null : each.key
  cidr_ipv6         = strcontains(each.key, ":") ? each.key : null
}
