"""Who gives us guests."""
