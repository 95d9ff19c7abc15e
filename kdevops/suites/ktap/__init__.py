"""KTAP and TAP, read line by line."""
