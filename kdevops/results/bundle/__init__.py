"""One file with runs, for another store: its format, what goes into it, and what is taken from it."""
