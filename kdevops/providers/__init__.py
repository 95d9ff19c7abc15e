"""Providers of guests: embedded QEMU, Vagrant, Terraform, and existing machines."""
