"""What suites need in every guest: packages, and users to run tests as."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GuestNeeds:
    """Names of packages of the guest's distribution, and of users, each with a group of the same name."""

    packages: tuple[str, ...] = ()
    users: tuple[str, ...] = ()


NOTHING = GuestNeeds()
