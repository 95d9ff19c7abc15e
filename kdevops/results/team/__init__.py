"""A store that a team shares, in PostgreSQL. Imported only if KDEVOPS_STORE says so: what it needs is an extra."""
