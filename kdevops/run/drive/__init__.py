"""A run at work: the queue, leases, chunks, and what is made of a guest that was lost."""
