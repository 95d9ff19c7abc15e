"""What suites need of every guest beyond what a bare one has: packages, and users to run tests as."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GuestNeeds:
    """Names of packages as the guest's distribution has them, and of users, each with a group of its own name."""

    packages: tuple[str, ...] = ()
    users: tuple[str, ...] = ()


NOTHING = GuestNeeds()
