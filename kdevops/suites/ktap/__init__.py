"""A KTAP and TAP reader that works line by line."""
