"""The guests of a run: their kind of provider, how they get the kernel, and the servers for them."""
