"""What a run is to do, fixed before its first test: tests, deadlines, what is known of them, and its record."""
