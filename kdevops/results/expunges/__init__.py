"""Expunge lists: tests known to fail, as lines of text in a directory per kernel, in the formats of upstream kdevops."""
