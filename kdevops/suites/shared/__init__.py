"""Code that several suites use."""
