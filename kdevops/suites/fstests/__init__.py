"""fstests: profiles, the choice of tests, the harness and what it leaves behind."""
