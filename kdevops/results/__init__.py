"""Test results: stored, compared with a baseline kept in git, and judged."""
