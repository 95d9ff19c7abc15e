"""Machines in clouds, by Terraform or OpenTofu."""
