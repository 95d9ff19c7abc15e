# The lab's own network or an existing one: outgoing connections are unrestricted; incoming, only ssh from the caller's addresses
# is allowed.

locals {
  own_network  = var.network == ""
  allowed_ipv4 = toset([for range in var.allowed_cidrs : range if !strcontains(range, ":")])

  # Floating addresses are IPv4, and of an existing network only IPv4 addresses are used.
  addresses = local.own_network ? { for name, each in openstack_networking_floatingip_associate_v2.node : name => each.floating_ip } : {
    for name, port in openstack_networking_port_v2.node : name => [for ip in port.all_fixed_ips : ip if !strcontains(ip, ":")][0]
  }

  labels = [for key in ["kdevops-lab", "kdevops-owner", "kdevops-expires"] : substr("${key}=${local.tags[key]}", 0, 60)]

  network_id = one(concat(openstack_networking_network_v2.lab[*].id, data.openstack_networking_network_v2.given[*].id))
}

data "openstack_networking_network_v2" "given" {
  count = local.own_network ? 0 : 1

  name = var.network
}

data "openstack_networking_network_v2" "external" {
  count = local.own_network ? 1 : 0

  name     = var.external_network != "" ? var.external_network : null
  external = true
}

resource "openstack_networking_network_v2" "lab" {
  count = local.own_network ? 1 : 0

  name           = "kdevops-${var.lab}"
  admin_state_up = true
  tags           = local.labels
}

resource "openstack_networking_subnet_v2" "lab" {
  count = local.own_network ? 1 : 0

  name            = "kdevops-${var.lab}"
  network_id      = openstack_networking_network_v2.lab[0].id
  cidr            = var.network_cidr
  ip_version      = 4
  dns_nameservers = var.nameservers
  tags            = local.labels
}

resource "openstack_networking_router_v2" "lab" {
  count = local.own_network ? 1 : 0

  name                = "kdevops-${var.lab}"
  external_network_id = data.openstack_networking_network_v2.external[0].id
  tags                = local.labels
}

resource "openstack_networking_router_interface_v2" "lab" {
  count = local.own_network ? 1 : 0

  router_id = openstack_networking_router_v2.lab[0].id
  subnet_id = openstack_networking_subnet_v2.lab[0].id
}

# OpenStack itself adds rules to a new group that allow all outgoing traffic.
resource "openstack_networking_secgroup_v2" "lab" {
  name        = "kdevops-${var.lab}"
  description = "ssh from where the controller is, and everything outwards"
  tags        = local.labels

  lifecycle {
    precondition {
      condition     = length(local.allowed_ipv4) > 0
      error_message = "Machines are reached only at IPv4 addresses: allow at least one IPv4 range."
    }
  }
}

resource "openstack_networking_secgroup_rule_v2" "ssh" {
  for_each = local.allowed_ipv4

  security_group_id = openstack_networking_secgroup_v2.lab.id
  description       = "ssh"
  direction         = "ingress"
  ethertype         = "IPv4"
  protocol          = "tcp"
  port_range_min    = 22
  port_range_max    = 22
  remote_ip_prefix  = each.key
}

resource "openstack_networking_port_v2" "node" {
  for_each = var.kdevops_nodes

  name               = each.key
  network_id         = local.network_id
  security_group_ids = [openstack_networking_secgroup_v2.lab.id]
  admin_state_up     = true
  tags               = local.labels

  # A port created before the subnet would have no address, and no machine must exist before the rules do.
  depends_on = [openstack_networking_subnet_v2.lab, openstack_networking_secgroup_rule_v2.ssh]
}

resource "openstack_networking_floatingip_v2" "node" {
  for_each = local.own_network ? var.kdevops_nodes : []

  pool        = data.openstack_networking_network_v2.external[0].name
  description = each.key
  tags        = local.labels
}

resource "openstack_networking_floatingip_associate_v2" "node" {
  for_each = local.own_network ? var.kdevops_nodes : []

  floating_ip = openstack_networking_floatingip_v2.node[each.key].address
  port_id     = openstack_networking_port_v2.node[each.key].id

  # A floating address can be associated only when the router is connected to the external network.
  depends_on = [openstack_networking_router_interface_v2.lab]
}
