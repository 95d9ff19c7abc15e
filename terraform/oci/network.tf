# A network of the lab's own, from which machines reach everything and into which ssh leads from the caller's addresses alone.

locals {
  allowed_ipv4 = toset([for range in var.allowed_cidrs : range if !strcontains(range, ":")])
}

resource "oci_core_vcn" "lab" {
  compartment_id = var.compartment_id
  cidr_blocks    = [var.network_cidr]
  display_name   = "kdevops-${var.lab}"
  freeform_tags  = local.tags
}

resource "oci_core_internet_gateway" "lab" {
  compartment_id = var.compartment_id
  vcn_id         = oci_core_vcn.lab.id
  display_name   = "kdevops-${var.lab}"
  freeform_tags  = local.tags
}

resource "oci_core_route_table" "lab" {
  compartment_id = var.compartment_id
  vcn_id         = oci_core_vcn.lab.id
  display_name   = "kdevops-${var.lab}"
  freeform_tags  = local.tags

  route_rules {
    network_entity_id = oci_core_internet_gateway.lab.id
    destination       = "0.0.0.0/0"
    destination_type  = "CIDR_BLOCK"
  }
}

# Without rules, in the place of the network's default list, which lets ssh in from everywhere.
resource "oci_core_security_list" "nothing" {
  compartment_id = var.compartment_id
  vcn_id         = oci_core_vcn.lab.id
  display_name   = "kdevops-${var.lab}-nothing"
  freeform_tags  = local.tags
}

resource "oci_core_subnet" "lab" {
  compartment_id             = var.compartment_id
  vcn_id                     = oci_core_vcn.lab.id
  cidr_block                 = var.network_cidr
  route_table_id             = oci_core_route_table.lab.id
  security_list_ids          = [oci_core_security_list.nothing.id]
  prohibit_public_ip_on_vnic = false
  display_name               = "kdevops-${var.lab}"
  freeform_tags              = local.tags
}

resource "oci_core_network_security_group" "lab" {
  compartment_id = var.compartment_id
  vcn_id         = oci_core_vcn.lab.id
  display_name   = "kdevops-${var.lab}"
  freeform_tags  = local.tags

  lifecycle {
    precondition {
      condition     = length(local.allowed_ipv4) > 0
      error_message = "Machines in OCI have addresses of IPv4 alone: allow one range of IPv4 at least."
    }
  }
}

resource "oci_core_network_security_group_security_rule" "ssh" {
  for_each = local.allowed_ipv4

  network_security_group_id = oci_core_network_security_group.lab.id
  description               = "ssh"
  direction                 = "INGRESS"
  protocol                  = "6" # TCP
  source                    = each.key
  source_type               = "CIDR_BLOCK"

  tcp_options {
    destination_port_range {
      min = 22
      max = 22
    }
  }
}

resource "oci_core_network_security_group_security_rule" "out" {
  network_security_group_id = oci_core_network_security_group.lab.id
  description               = "everything"
  direction                 = "EGRESS"
  protocol                  = "all"
  destination               = "0.0.0.0/0"
  destination_type          = "CIDR_BLOCK"
}
