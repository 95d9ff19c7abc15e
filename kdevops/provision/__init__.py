"""State of machines: the inventory of a lab, and the one door to Ansible."""
