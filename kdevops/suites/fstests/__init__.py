"""fstests: profiles, test selection, the harness and its results."""
