"""Configure machines: a lab's inventory, and running Ansible."""
