"""Plans runs and runs the tests of suites in guests."""
