"""Test suites: what each needs, which tests it will run, and how a test ended."""
