"""Results of LTP, which are imported; kdevops does not run it."""
