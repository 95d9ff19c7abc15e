"""The revisions of the tables, oldest first. Append, never edit."""
