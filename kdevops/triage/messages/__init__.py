"""What kernels say of their own trouble, as tables: one module a severity, one row a message. Read by `triage.patterns`."""
