"""Carries out a run: the work queue, leases, chunks, and the handling of lost guests."""
