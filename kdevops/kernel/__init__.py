"""Build a Linux kernel: source → patches → config → build → artifact. Uses only the standard library, to run in a bare guest."""
