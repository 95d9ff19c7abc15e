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
_parent = 0


def _note_parent() -> None:
    global _parent  # noqa: PLW0603 - what a fork's child must know of the process it came from
    _parent = os.getpid()


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != _parent:
        os._exit(1)


def main() -> None:
    """Become ansible-playbook."""
    global _parent  # noqa: PLW0603 - see above
    _parent = int(sys.argv[1])
    if os.getpid() != _parent:  # else the caller has become us
        _die_with_parent()
    from ansible.cli.playbook import main as playbook

    os.register_at_fork(before=_note_parent, after_in_child=_die_with_parent)
    playbook(["ansible-playbook", *sys.argv[2:]])


if __name__ == "__main__":
    main()
