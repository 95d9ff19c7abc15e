"""State of machines: the packages of this one, the inventory of a lab, and the one door to Ansible."""
