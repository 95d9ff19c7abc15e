# The machines of one lab and their disks.
#
# Uses these resources of the provider google: google_compute_network, google_compute_subnetwork, google_compute_firewall, google_compute_instance,
# google_compute_disk, google_compute_attached_disk; data google_client_config, google_compute_zones, google_compute_image.

provider "google" {
  # null: use the user's environment.
  project = var.project != "" ? var.project : null

  default_labels = local.labels
}

# This id distinguishes the resources of two labs with the same name in one project, where names must be unique.
resource "terraform_data" "lab" {}

locals {
  suffix = substr(terraform_data.lab.id, 0, 6)
  prefix = "kdevops-${var.lab}-${local.suffix}"

  instance_type = var.instance_type != "" ? var.instance_type : {
    x86_64  = "e2-small"
    aarch64 = "t2a-standard-1"
  }[var.architecture]

  # A label consists of at most 63 lower-case letters, digits, dashes and underscores: 2030-01-31T23:59:59Z is 2030-01-31t23-59-59z.
  labels = merge(var.labels, {
    kdevops-lab     = var.lab
    kdevops-owner   = substr(replace(lower(var.owner), "/[^a-z0-9_-]/", "-"), 0, 63)
    kdevops-expires = replace(lower(var.expires), ":", "-")
  })
}

locals {
  # Run by Google's agent at each boot. Allows root to log in with the lab's key only; the agent itself adds keys only for other users.
  # Prints the machine's host keys on the console, in cloud-init's format.
  startup = <<-EOT
    #!/bin/sh
    set -eu

    mkdir -p -m 0700 /root/.ssh
    printf '%s\n' '${var.ssh_public_key}' >/root/.ssh/authorized_keys
    chmod 0600 /root/.ssh/authorized_keys
    printf '%s\n' 'PermitRootLogin prohibit-password' 'PasswordAuthentication no' >/etc/ssh/sshd_config.d/00-kdevops.conf
    systemctl try-reload-or-restart ssh.service 2>/dev/null || systemctl try-reload-or-restart sshd.service

    {
      echo '-----BEGIN SSH HOST KEY KEYS-----'
      cat /etc/ssh/ssh_host_*_key.pub
      echo '-----END SSH HOST KEY KEYS-----'
    } >/dev/console
  EOT
}

data "google_compute_image" "debian" {
  count = var.image == "" ? 1 : 0

  project = "debian-cloud"
  family  = var.architecture == "aarch64" ? "debian-12-arm64" : "debian-12"
}

# A machine is replaced if one of these changes. A newer Debian image alone does not replace it.
resource "terraform_data" "machine" {
  input = [var.architecture, var.image, local.instance_type, var.root_size]
}

resource "google_compute_instance" "node" {
  for_each = var.kdevops_nodes

  name         = "${each.key}-${local.suffix}"
  machine_type = local.instance_type
  zone         = local.zone

  # The next apply starts a machine that has powered itself off.
  desired_status = "RUNNING"

  boot_disk {
    auto_delete = true

    initialize_params {
      image = var.image != "" ? var.image : data.google_compute_image.debian[0].self_link
      size  = var.root_size
      type  = var.disk_type
    }
  }

  network_interface {
    subnetwork = google_compute_subnetwork.lab.id
    stack_type = google_compute_subnetwork.lab.stack_type

    # A public address for as long as the machine runs.
    access_config {}

    dynamic "ipv6_access_config" {
      for_each = local.ipv6 ? [true] : []

      content {
        network_tier = "PREMIUM"
      }
    }
  }

  # Kernels under test are unsigned and change between boots, so checks of the boot chain are off.
  # Arm machines do not have these settings.
  dynamic "shielded_instance_config" {
    for_each = var.architecture == "x86_64" ? [true] : []

    content {
      enable_secure_boot          = false
      enable_vtpm                 = true
      enable_integrity_monitoring = false
    }
  }

  scheduling {
    provisioning_model          = var.spot ? "SPOT" : "STANDARD"
    preemptible                 = var.spot
    automatic_restart           = !var.spot
    on_host_maintenance         = var.spot ? "TERMINATE" : null
    instance_termination_action = var.spot ? "DELETE" : null
  }

  # Google's images have no cloud-init, so a script that runs at each boot replaces it. Keys of the project and its users are
  # ignored. The console is readable without serial-port-enable, which would open it for writing to the whole Internet.
  metadata = {
    startup-script         = local.startup
    block-project-ssh-keys = "TRUE"
    enable-oslogin         = "FALSE"
    serial-port-enable     = "FALSE"
  }

  # There is no service_account, so guests have no credentials for the project.

  lifecycle {
    # Disks are attached by separate resources.
    ignore_changes       = [attached_disk, boot_disk[0].initialize_params[0].image]
    replace_triggered_by = [terraform_data.machine]
  }

  # ssh must be allowed when the first boot comes up.
  depends_on = [google_compute_firewall.ssh, google_compute_firewall.ssh_ipv6]
}

locals {
  volumes = { for each in setproduct(var.kdevops_nodes, range(length(var.disks))) : "${each[0]}-kd-${each[1]}" => {
    node  = each[0]
    index = each[1]
  } }
}

resource "google_compute_disk" "disk" {
  for_each = local.volumes

  name = "${each.key}-${local.suffix}"
  zone = local.zone
  type = var.disk_type
  size = var.disks[each.value.index]
}

resource "google_compute_attached_disk" "disk" {
  for_each = local.volumes

  instance    = google_compute_instance.node[each.value.node].id
  disk        = google_compute_disk.disk[each.key].id
  device_name = "kd-${each.value.index}"
}

locals {
  # Identifies the machine for gcloud.
  targets = { for name, machine in google_compute_instance.node : name =>
    [machine.name, "--project", machine.project, "--zone", machine.zone]
  }

  # The last MiB, in the command's default format: the user's configuration may set another.
  console_commands = { for name, target in local.targets : name => concat(
    ["gcloud", "compute", "instances", "get-serial-port-output"], target,
    ["--port", "1", "--format", "value[no-quote](contents)"],
  ) }

  reset_commands = { for name, target in local.targets : name =>
    concat(["gcloud", "compute", "instances", "reset"], target, ["--quiet"])
  }

  state_commands = { for name, target in local.targets : name =>
    concat(["gcloud", "compute", "instances", "describe"], target, ["--format", "value(status)"])
  }
}

locals {
  addresses = { for name, machine in google_compute_instance.node : name =>
    length(local.allowed_ipv4) > 0
    ? machine.network_interface[0].access_config[0].nat_ip
    : machine.network_interface[0].ipv6_access_config[0].external_ipv6
  }
  identities = { for name, machine in google_compute_instance.node : name => machine.instance_id }
  guest_disks = { for name in var.kdevops_nodes : name =>
    [for index in range(length(var.disks)) : "/dev/disk/by-id/google-kd-${index}"]
  }
  summary = "gce ${local.zone}"
}
