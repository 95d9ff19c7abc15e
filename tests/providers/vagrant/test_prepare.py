"""prepare.sh, in a mount namespace whose /etc, /root, /home and /run are its own."""

from __future__ import annotations

import base64
import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from kdevops.paths import data_dir

PREPARE = """
set -e
for name in etc root home run; do mount --bind "$1/$name" "/$name"; done
shift
exec sh "$@"
"""
RULES = 'KEY=="$env{KEY}", NAME="it\'s `one`"\nof two lines'
UNSHARE = ["unshare", "--map-root-user", "--mount", "--uts"]
CAN_UNSHARE = (
    bool(shutil.which("unshare"))
    and subprocess.run([*UNSHARE, "true"], capture_output=True, check=False).returncode == 0
)


@pytest.fixture
def guest(tmp_path: Path) -> Path:
    """What prepare.sh sees of a new guest; what it calls is written to `log`."""
    for name in ("etc/ssh", "etc/udev/rules.d", "root", "home/vagrant/.ssh", "run", "bin"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\nvagrant:x:0:0::/home/vagrant:/bin/sh\n")
    (tmp_path / "etc/group").write_text("root:x:0:\n")
    (tmp_path / "etc/hosts").write_text("127.0.0.1 localhost\n")
    (tmp_path / "etc/ssh/sshd_config").write_text("Include /etc/ssh/sshd_config.d/*.conf\nPermitRootLogin no\n")
    (tmp_path / "home/vagrant/.ssh/authorized_keys").write_text("ssh-rsa AAAA everybody\n")
    for name in ("sshd", "udevadm"):
        path = tmp_path / "bin" / name
        path.write_text(f'#!/bin/sh\necho {name} "$@" >>{tmp_path}/log\n')
        path.chmod(0o755)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "key"], check=True)
    return tmp_path


def prepare(guest: Path) -> None:
    # As Vagrant has it: each between double quotes (plugins/provisioners/shell/provisioner.rb).
    texts = ("demo-1", "ssh-ed25519 AAAA ours", RULES)
    words = " ".join(f'"{base64.b64encode(text.encode()).decode()}"' for text in texts)
    argv = [*UNSHARE, "sh", "-c", PREPARE, "sh", guest, "-c", f"{data_dir('vagrant') / 'prepare.sh'} {words}"]
    environment = {
        **os.environ,
        "PATH": f"{guest}/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOST_KEY": base64.b64encode((guest / "key").read_bytes().rstrip()).decode(),
        "SUDO_USER": "vagrant",
    }
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not CAN_UNSHARE, reason="user namespaces are needed")
def test_a_guest_is_prepared_once(guest: Path) -> None:
    prepare(guest)
    for path in (guest / "root/.ssh/authorized_keys", guest / "home/vagrant/.ssh/authorized_keys"):
        assert path.read_text() == "ssh-ed25519 AAAA ours\n", "and nobody else's key"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    host_key = guest / "etc/ssh/ssh_host_ed25519_key"
    assert host_key.read_text() == (guest / "key").read_text()
    assert stat.S_IMODE(host_key.stat().st_mode) == 0o600
    assert host_key.with_suffix(".pub").read_text().split()[1] == (guest / "key.pub").read_text().split()[1]
    assert "PermitRootLogin prohibit-password" in (guest / "etc/ssh/sshd_config.d/00-kdevops.conf").read_text()
    assert (guest / "etc/udev/rules.d/61-kdevops.rules").read_text() == f"{RULES}\n"
    assert (guest / "etc/hostname").read_text() == "demo-1\n"
    assert (guest / "etc/hosts").read_text().splitlines()[-1] == "127.0.1.1 demo-1"
    assert "sshd -t" in (guest / "log").read_text()

    (guest / "log").write_text("")
    before = {path: path.stat().st_mtime_ns for path in guest.rglob("*") if path.is_file()}
    prepare(guest)
    assert {path: path.stat().st_mtime_ns for path in guest.rglob("*") if path.is_file()} == before
    assert (guest / "log").read_text() == ""


@pytest.mark.skipif(not CAN_UNSHARE, reason="user namespaces are needed")
def test_an_sshd_that_includes_nothing_is_told_in_its_own_file(guest: Path) -> None:
    config = guest / "etc/ssh/sshd_config"
    config.write_text("PermitRootLogin no\n")
    prepare(guest)
    prepare(guest)
    lines = config.read_text().splitlines()
    # Of a setting that stands twice, sshd takes the first.
    assert [line for line in lines if line[0] in "P#"] == [
        "# kdevops",
        "PermitRootLogin prohibit-password",
        "PermitRootLogin no",
    ]
