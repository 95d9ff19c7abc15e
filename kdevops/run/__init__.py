"""Plan, lease, runner, session: suites driven over guests."""
