"""KUnit: suites built into the kernel, and suites in modules."""
