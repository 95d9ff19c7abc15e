# The lab's own network: outgoing connections are unrestricted; incoming, only ssh from the caller's addresses is allowed.

locals {
  allowed_ipv4 = [for range in var.allowed_cidrs : range if !strcontains(range, ":")]
  allowed_ipv6 = [for range in var.allowed_cidrs : range if strcontains(range, ":")]
  ipv6         = length(local.allowed_ipv6) > 0

  region_of_zone = try(regex("^([a-z0-9-]+)-[a-z]$", var.zone)[0], "")
  region         = coalesce(var.region, local.region_of_zone, one(data.google_client_config.user[*].region), "us-central1")
  zone_of_user   = try(regex("^${local.region}-[a-z]$", one(data.google_client_config.user[*].zone)), "")
  zones_there    = data.google_compute_zones.region.names

  # The default Arm machines are not available in every zone of their regions: https://cloud.google.com/compute/docs/regions-zones
  zones_of_t2a = [
    "asia-southeast1-b", "asia-southeast1-c",
    "europe-west4-a", "europe-west4-b", "europe-west4-c",
    "us-central1-a", "us-central1-b", "us-central1-f",
  ]
  t2a   = startswith(local.instance_type, "t2a-")
  zones = [for zone in local.zones_there : zone if !local.t2a || contains(local.zones_of_t2a, zone)]
  zone = coalesce(
    var.zone,
    local.t2a && !contains(local.zones_of_t2a, local.zone_of_user) ? "" : local.zone_of_user,
    sort(length(local.zones) > 0 ? local.zones : local.zones_there)[0],
  )
}

# Read only if no region is given, because it stores one of the user's tokens, valid for an hour, in the state.
data "google_client_config" "user" {
  count = var.region == "" && var.zone == "" ? 1 : 0
}

# All zones, up or down: machines must not move when a zone has an outage.
data "google_compute_zones" "region" {
  region = local.region

  lifecycle {
    postcondition {
      condition     = length(self.names) > 0 && (var.zone == "" || startswith(var.zone, "${local.region}-"))
      error_message = "There is no ${var.zone != "" ? "zone ${var.zone}" : "zone"} in region ${local.region}."
    }
  }
}

resource "google_compute_network" "lab" {
  name                    = local.prefix
  description             = "Of kdevops, lab ${var.lab}"
  auto_create_subnetworks = false
}

resource "google_compute_subnetwork" "lab" {
  name             = local.prefix
  region           = local.region
  network          = google_compute_network.lab.id
  ip_cidr_range    = var.network_cidr
  stack_type       = local.ipv6 ? "IPV4_IPV6" : "IPV4_ONLY"
  ipv6_access_type = local.ipv6 ? "EXTERNAL" : null
}

# Google's networks refuse incoming traffic that no rule allows; outgoing traffic is unrestricted.
resource "google_compute_firewall" "ssh" {
  count = length(local.allowed_ipv4) > 0 ? 1 : 0

  name          = "${local.prefix}-ssh"
  description   = "ssh from where the controller is"
  network       = google_compute_network.lab.id
  direction     = "INGRESS"
  source_ranges = local.allowed_ipv4

  allow {
    protocol = "tcp"
    ports    = ["22"]
  }
}

# A rule can have ranges of only one address family.
resource "google_compute_firewall" "ssh_ipv6" {
  count = local.ipv6 ? 1 : 0

  name          = "${local.prefix}-ssh6"
  description   = "ssh from where the controller is"
  network       = google_compute_network.lab.id
  direction     = "INGRESS"
  source_ranges = local.allowed_ipv6

  allow {
    protocol = "tcp"
    ports    = ["22"]
  }
}
