"""ansible-playbook that ends with whoever called it, and whose workers end with it.

Run as a program: the caller's process id, then ansible-playbook's arguments. Ansible's workers are sessions of their own:
where their parent is killed, they go on with their task, which may be the compilation of a kernel, and nobody hears of it
any more.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1
"""prctl(2)."""
_MORTAL = {signal.SIGTERM}
_parent = 0


def _before_fork() -> None:
    global _parent  # noqa: PLW0603 - what a fork's child must know of the process it came from
    _parent = os.getpid()
    signal.pthread_sigmask(signal.SIG_BLOCK, _MORTAL)


def _in_parent() -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _MORTAL)


def _in_child() -> None:
    # Ansible's handler is for the parent: here it raises, and Python swallows what is raised after a fork. With it the
    # signal would be gone, and the worker live for ever.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _die_with_parent()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _MORTAL)


def _ask_for_signal() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _die_with_parent() -> None:
    _ask_for_signal()
    if os.getppid() != _parent:
        os._exit(1)


def watch_forks() -> None:
    """Have whatever is forked from now on end with us."""
    os.register_at_fork(before=_before_fork, after_in_parent=_in_parent, after_in_child=_in_child)


def main() -> None:
    """Become ansible-playbook."""
    global _parent  # noqa: PLW0603 - see above
    _parent = int(sys.argv[1])
    if os.getpid() != _parent:  # else the caller has become us
        _die_with_parent()
    from ansible.cli.playbook import main as playbook

    watch_forks()
    playbook(["ansible-playbook", *sys.argv[2:]])


if __name__ == "__main__":
    main()
