# The lab's own network: outgoing connections are unrestricted; incoming, only ssh from the caller's addresses is allowed.

locals {
  # An Azure rule has addresses of one family, and the machines have no IPv6 addresses.
  allowed_ipv4 = [for range in var.allowed_cidrs : range if !strcontains(range, ":")]
}

resource "azurerm_virtual_network" "lab" {
  name                = "${var.lab}-network"
  resource_group_name = local.group
  location            = local.region
  address_space       = [var.network_cidr]
  tags                = local.tags
}

resource "azurerm_subnet" "lab" {
  name                 = "${var.lab}-subnet"
  resource_group_name  = local.group
  virtual_network_name = azurerm_virtual_network.lab.name
  address_prefixes     = [var.network_cidr]
}

# Azure's default rules follow these: incoming only from the lab's network, outgoing to everywhere.
resource "azurerm_network_security_group" "lab" {
  name                = "${var.lab}-ssh"
  resource_group_name = local.group
  location            = local.region
  tags                = local.tags
}

resource "azurerm_network_security_rule" "ssh" {
  name                        = "ssh"
  resource_group_name         = local.group
  network_security_group_name = azurerm_network_security_group.lab.name
  priority                    = 100
  direction                   = "Inbound"
  access                      = "Allow"
  protocol                    = "Tcp"
  source_address_prefixes     = local.allowed_ipv4
  source_port_range           = "*"
  destination_address_prefix  = "*"
  destination_port_range      = "22"

  lifecycle {
    precondition {
      condition     = length(local.allowed_ipv4) > 0
      error_message = "Machines in Azure have only IPv4 addresses: allow at least one IPv4 range."
    }
  }
}

resource "azurerm_subnet_network_security_group_association" "lab" {
  subnet_id                 = azurerm_subnet.lab.id
  network_security_group_id = azurerm_network_security_group.lab.id
}

resource "azurerm_public_ip" "node" {
  for_each = var.kdevops_nodes

  name                = each.key
  resource_group_name = local.group
  location            = local.region
  zones               = local.zone == null ? null : [local.zone]
  sku                 = "Standard"
  allocation_method   = "Static"
  tags                = local.tags
}

resource "azurerm_network_interface" "node" {
  for_each = var.kdevops_nodes

  name                = each.key
  resource_group_name = local.group
  location            = local.region
  tags                = local.tags

  ip_configuration {
    name                          = "lab"
    subnet_id                     = azurerm_subnet.lab.id
    private_ip_address_allocation = "Dynamic"
    public_ip_address_id          = azurerm_public_ip.node[each.key].id
  }

  # No machine must exist before the rules do.
  depends_on = [azurerm_subnet_network_security_group_association.lab, azurerm_network_security_rule.ssh]
}
