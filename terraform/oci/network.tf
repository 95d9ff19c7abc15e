# The lab's own network: outgoing connections are unrestricted; incoming, only ssh from the caller's addresses is allowed.

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

# An empty list that replaces the network's default list, which allows ssh from everywhere.
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
      error_message = "Machines in OCI have only IPv4 addresses: allow at least one IPv4 range."
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
