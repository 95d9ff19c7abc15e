"""Guests from Vagrant, on libvirt or VirtualBox."""
