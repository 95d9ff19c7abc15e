"""The guests of a run: their provider by kind, the kernel that they are given, and the servers beside them."""
