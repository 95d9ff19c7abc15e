"""Baselines: what is known of how tests end, as text in git."""
