"""The kernel's own selftests."""
