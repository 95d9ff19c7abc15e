"""Build a Linux kernel: source → patches → config → build → artifact. Standard library only, it runs in a bare guest too."""
