"""ansible-playbook that ends when its caller dies, together with its workers.

Run as a program: the caller's process id, then ansible-playbook's arguments. Ansible's workers have their own sessions:
if their parent is killed, they would continue unnoticed with their task, which may be a kernel build.
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
    global _parent  # noqa: PLW0603 - a forked child must know its parent
    _parent = os.getpid()
    signal.pthread_sigmask(signal.SIG_BLOCK, _MORTAL)


def _in_parent() -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _MORTAL)


def _in_child() -> None:
    # Ansible's handler is for the parent: here it raises, and Python ignores exceptions after a fork. The signal would be
    # lost and the worker would live forever.
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
    """Make processes forked from now on die with us."""
    os.register_at_fork(before=_before_fork, after_in_parent=_in_parent, after_in_child=_in_child)


def main() -> None:
    """Become ansible-playbook."""
    global _parent  # noqa: PLW0603 - see above
    _parent = int(sys.argv[1])
    if os.getpid() != _parent:  # else the caller exec'ed this process
        _die_with_parent()
    from ansible.cli.playbook import main as playbook

    watch_forks()
    playbook(["ansible-playbook", *sys.argv[2:]])


if __name__ == "__main__":
    main()
