"""lab.yaml: the typed model, and the way from a file to it."""
