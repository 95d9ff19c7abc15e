"""Machines that exist somewhere else, with a boot loader of their own: hosts by address, and what a cloud gives."""
