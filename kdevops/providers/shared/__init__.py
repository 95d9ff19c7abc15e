"""What several kinds of providers use."""
