"""Results of blktests, which are imported; kdevops does not run it."""
