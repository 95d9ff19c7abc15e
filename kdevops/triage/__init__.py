"""Find and classify problem reports in a kernel's console output."""
