"""lab.yaml: the typed model, and loading it from a file."""
