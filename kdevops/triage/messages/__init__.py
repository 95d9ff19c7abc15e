"""Tables of kernel error messages: one module per severity, one row per message. Used by `triage.patterns`."""
