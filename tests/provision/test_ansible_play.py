"""The door to Ansible, with the real ansible-playbook on small playbooks."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from kdevops.errors import InfrastructureError, PlayError
from kdevops.progress import Progress
from kdevops.provision import ansible

LOCAL = """
- hosts: all
  gather_facts: false
  connection: local
  vars:
    ansible_python_interpreter: "{{ ansible_playbook_python }}"
  tasks:
"""


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for kind in ("playbooks", "roles"):
        (tmp_path / kind).mkdir()
    monkeypatch.setattr(ansible, "data_dir", lambda kind: tmp_path / kind)
    return tmp_path


def play(shipped: Path, text: str, news: list[Progress] | None = None, **options: Any) -> ansible.PlayResult:
    (shipped / "playbooks/x.yml").write_text(text)
    options = {"inventory": None, "timeout": 60, "log": shipped / "logs/x.log", **options}

    async def run() -> ansible.PlayResult:
        return await ansible.play("x.yml", report=(news if news is not None else []).append, **options)

    return asyncio.run(run())


def test_success_tells_tasks_and_counts(shipped: Path) -> None:
    (shipped / "roles/greet/tasks").mkdir(parents=True)
    (shipped / "roles/greet/tasks/main.yml").write_text("- name: Say it\n  ansible.builtin.command: echo {{ word }}\n")
    news: list[Progress] = []
    result = play(
        shipped, f"{LOCAL}    - ansible.builtin.include_role: {{name: greet}}\n", news, extravars={"word": ["a b", 1]}
    )
    assert result.changed == {"localhost": 1}
    assert any("Say it" in piece.detail for piece in news)
    assert news[-1].done
    assert "changed: [localhost]" in (shipped / "logs/x.log").read_text()


def test_extra_variables_are_never_templates(shipped: Path) -> None:
    word = f"{{{{ lookup('pipe', 'touch {shipped}/ran') }}}}{{% raw %}}"
    write = '    - ansible.builtin.copy: {content: "{{ deep.words[0] }}", dest: "{{ where }}"}\n'
    play(shipped, LOCAL + write, extravars={"deep": {"words": (word,)}, "where": str(shipped / "said")})
    assert (shipped / "said").read_text() == word
    assert not (shipped / "ran").exists()


def test_a_failed_command_is_told_by_host_task_and_its_last_words(shipped: Path) -> None:
    with pytest.raises(InfrastructureError) as caught:
        play(shipped, LOCAL + "    - name: Break it\n      ansible.builtin.command: ls /nonexistent\n")
    assert "localhost, task “Break it”: ls: cannot access '/nonexistent'" in caught.value.message
    assert "exit code 2" in caught.value.message
    assert caught.value.log == shipped / "logs/x.log"


def test_hosts_that_a_play_failed_on_are_told_one_by_one(shipped: Path) -> None:
    inventory = shipped / "hosts"
    inventory.write_text("good ansible_connection=local\nbad ansible_connection=local\n")
    task = "    - name: Break it\n      ansible.builtin.command: ls /nonexistent\n      when: inventory_hostname == 'bad'\n"
    with pytest.raises(PlayError) as caught:
        play(shipped, LOCAL + task, inventory=inventory)
    assert list(caught.value.hosts) == ["bad"]
    assert caught.value.hosts["bad"].message.startswith("playbook x.yml failed on bad, task “Break it”: ls: cannot")


def test_a_failed_item_of_a_loop_speaks_for_it(shipped: Path) -> None:
    task = "    - ansible.builtin.fail: {msg: 'item {{ item }} is \\x1b[31mbad'}\n      loop: [1, 2]\n"
    with pytest.raises(InfrastructureError, match="item 1 is") as caught:
        play(shipped, LOCAL + task.replace("'", '"'))
    assert caught.value.message.isprintable()


def test_what_a_role_ignores_is_no_failure(shipped: Path) -> None:
    task = "    - ansible.builtin.command: 'false'\n      ignore_errors: true\n"
    assert play(shipped, LOCAL + task).ok == {"localhost": 1}


def test_unreachable_is_told_apart(shipped: Path) -> None:
    inventory = shipped / "inventory.yml"
    inventory.write_text("all: {hosts: {gone: {ansible_host: 127.0.0.1, ansible_port: 1, ansible_connection: ssh}}}")
    playbook = "- hosts: all\n  gather_facts: false\n  tasks:\n    - ansible.builtin.ping:\n"
    with pytest.raises(InfrastructureError, match="gone is unreachable") as caught:
        play(shipped, playbook, inventory=inventory)
    assert "kdevops status" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("playbook", "message"),
    [
        ("- hosts: nobody\n  tasks: []\n", "matched no hosts"),
        ("- hosts: [\n", "cannot run playbook .*: .*[Yy][Aa][Mm][Ll]"),
    ],
)
def test_nothing_done_is_never_success(shipped: Path, playbook: str, message: str) -> None:
    with pytest.raises(InfrastructureError, match=message):
        play(shipped, playbook)


def test_deadline(shipped: Path) -> None:
    with pytest.raises(InfrastructureError, match="did not finish within 3 s"):
        play(shipped, LOCAL + "    - ansible.builtin.command: sleep 600\n", timeout=3)
    _wait_until_gone(shipped)


def test_a_machine_that_cannot_run_it_is_told(shipped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(19, "out of pty devices")

    monkeypatch.setattr("pexpect.spawn", refuse)
    with pytest.raises(InfrastructureError, match="out of pty devices"):
        play(shipped, LOCAL + "    - ansible.builtin.ping:\n")


def test_cancelling_stops_it(shipped: Path) -> None:
    (shipped / "playbooks/x.yml").write_text(LOCAL + "    - ansible.builtin.command: sleep 600\n")

    async def run() -> None:
        begun = asyncio.Event()
        job = asyncio.create_task(
            ansible.play("x.yml", inventory=None, report=lambda _: begun.set(), log=shipped / "log", timeout=60)
        )
        await begun.wait()
        job.cancel()
        await job

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(run())
    _wait_until_gone(shipped)


def test_a_killed_controller_leaves_no_play_behind(shipped: Path) -> None:
    (shipped / "playbooks/x.yml").write_text(LOCAL + "    - ansible.builtin.command: sleep 600\n")
    script = (
        "import asyncio, sys; from pathlib import Path; from kdevops.provision import ansible\n"
        "here = Path(sys.argv[1]); ansible.data_dir = lambda kind: here / kind\n"
        "def report(_): print('begun', flush=True)\n"
        "asyncio.run(ansible.play('x.yml', inventory=None, report=report, log=here / 'log', timeout=600))\n"
    )
    controller = subprocess.Popen([sys.executable, "-c", script, shipped], stdout=subprocess.PIPE, text=True)
    assert controller.stdout
    assert controller.stdout.readline() == "begun\n"
    assert _processes(shipped)
    controller.kill()
    controller.wait()
    _wait_until_gone(shipped)


def test_a_worker_whose_parent_dies_at_its_very_fork_ends_too() -> None:
    """Ansible's handler of the parent is still the worker's then, and raises where Python swallows it."""
    script = (
        "import os, signal\n"
        "from kdevops.provision import mortal_playbook\n"
        "def handler(*_): raise AssertionError('can only test a child process')\n"
        "signal.signal(signal.SIGTERM, handler)\n"
        "mortal_playbook._ask_for_signal = lambda: os.kill(os.getpid(), signal.SIGTERM)\n"
        "mortal_playbook.watch_forks()\n"
        "worker = os.fork()\n"
        "if worker == 0: os._exit(0)\n"
        "assert signal.SIGTERM not in signal.pthread_sigmask(signal.SIG_BLOCK, ())\n"
        "print(os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1]))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == f"{-signal.SIGTERM}\n", done.stderr


def _wait_until_gone(shipped: Path) -> None:
    end = time.monotonic() + 30
    while left := _processes(shipped):
        assert time.monotonic() < end, left
        time.sleep(0.2)


def _processes(shipped: Path) -> list[str]:
    """The command lines of ansible-playbook, and of what it runs, that name our directory."""
    said = subprocess.run(["pgrep", "-af", f"mortal_playbook.*{shipped}"], capture_output=True, text=True, check=False)
    return said.stdout.splitlines()


def test_the_password_goes_to_the_prompt_and_is_nowhere_on_disk(shipped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (shipped / "bin").mkdir()
    sudo = shipped / "bin/sudo"
    seen = shipped / "seen"
    # Reads the password as sudo does and keeps its length only; the command is the word after the options.
    sudo.write_text(
        "#!/bin/sh\nwhile [ $# -gt 0 ]; do\n"
        'case $1 in -p) printf %s "$2" >&2; shift 2;; -u) shift 2;; -*) shift;; *) break;; esac\ndone\n'
        f'IFS= read -r word; printf %s "${{#word}}" >{seen}; exec "$@"\n'
    )
    sudo.chmod(0o755)
    monkeypatch.setenv("PATH", str(shipped / "bin"), prepend=":")
    play(
        shipped,
        LOCAL + "    - ansible.builtin.raw: 'true'\n      become: true\n      become_user: nobody\n",
        become_password="hush-hush-7",
    )
    assert seen.read_text() == "11"
    assert not [path for path in shipped.rglob("*") if path.is_file() and b"hush-hush-7" in path.read_bytes()]
