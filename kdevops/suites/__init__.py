"""What can be run: each suite says what it needs, what it will run, and how a test ended."""
