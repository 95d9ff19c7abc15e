"""The plan of a run, fixed before its first test: tests, deadlines, known failures, and the run's record."""
