# A network of the lab's own, from which machines reach everything, or one that exists. Ssh leads into it from the caller's
# addresses alone.

locals {
  own_network  = var.network == ""
  allowed_ipv4 = toset([for range in var.allowed_cidrs : range if !strcontains(range, ":")])

  # Floating addresses are of IPv4, and so is what is taken of a network that exists.
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

# Everything goes out of a new group, by rules that OpenStack makes itself.
resource "openstack_networking_secgroup_v2" "lab" {
  name        = "kdevops-${var.lab}"
  description = "ssh from where the controller is, and everything outwards"
  tags        = local.labels

  lifecycle {
    precondition {
      condition     = length(local.allowed_ipv4) > 0
      error_message = "Machines are reached at addresses of IPv4 alone: allow one range of IPv4 at least."
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

  # A port that is made before the subnet has no address; and no machine is there before the rules are.
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

  # Without the way to the external network there is nothing to associate with.
  depends_on = [openstack_networking_router_interface_v2.lab]
}
