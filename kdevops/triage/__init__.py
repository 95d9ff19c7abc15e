"""Reading what a kernel says when it is in trouble."""
