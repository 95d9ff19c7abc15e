"""Guests by Vagrant, on libvirt or VirtualBox."""
