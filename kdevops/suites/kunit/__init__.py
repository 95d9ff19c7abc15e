"""KUnit: suites that are built into the kernel, and suites in modules."""
