import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.errors import UserError
from kdevops.guest import sshconfig
from kdevops.guest.ssh import SshTarget

STATE = Path("/home/u/my state")


def target(name: str, directory: Path = Path("/keys")) -> SshTarget:
    return SshTarget(name, "127.0.0.1", 40022, "root", directory / "id_ed25519", directory / "known_hosts")


@given(original=st.one_of(st.binary(), st.text(st.sampled_from("Host *\n\r\t#Include")).map(str.encode)))
def test_uninstall_gives_back_every_byte(tmp_path_factory: pytest.TempPathFactory, original: bytes) -> None:
    config = tmp_path_factory.mktemp("ssh") / "config"
    config.write_bytes(original)
    assert sshconfig.install(config, STATE)
    assert config.read_bytes().endswith(original)
    assert sshconfig.is_installed(config, STATE)
    assert not sshconfig.install(config, STATE), "once is enough"
    assert sshconfig.uninstall(config)
    assert (config.read_bytes() if config.exists() else b"") == original
    assert not sshconfig.uninstall(config)


def test_a_user_without_configuration_has_none_afterwards(tmp_path: Path) -> None:
    config = tmp_path / ".ssh/config"
    sshconfig.install(config, STATE)
    assert stat.S_IMODE(config.stat().st_mode) == 0o600
    assert stat.S_IMODE(config.parent.stat().st_mode) == 0o700
    sshconfig.uninstall(config)
    assert not config.exists()


def test_mode_and_symlink_are_kept(tmp_path: Path) -> None:
    real, config = tmp_path / "dotfiles/config", tmp_path / "config"
    real.parent.mkdir()
    real.write_text("Host x\n")
    real.chmod(0o640)
    config.symlink_to("dotfiles/config")
    sshconfig.install(config, STATE)
    assert config.is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert real.read_text().endswith("Host x\n")
    sshconfig.uninstall(config)
    assert (config.is_symlink(), real.read_text()) == (True, "Host x\n")


def test_another_state_directory_takes_the_place_of_the_first(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("Host x\n")
    sshconfig.install(config, STATE)
    sshconfig.install(config, Path("/other"))
    assert config.read_text().count("Include") == 1
    assert sshconfig.is_installed(config, Path("/other"))
    sshconfig.uninstall(config)
    assert config.read_text() == "Host x\n"


def test_what_the_user_wrote_around_our_line_stays(tmp_path: Path) -> None:
    config = tmp_path / "config"
    sshconfig.install(config, STATE)
    config.write_bytes(b"# mine\n" + config.read_bytes() + b"Host x\n")
    sshconfig.uninstall(config)
    assert config.read_text() == "# mine\nHost x\n"


def test_guests_are_found_by_name(tmp_path: Path) -> None:
    for lab in ("demo", "patch"):
        path = sshconfig.config_path(tmp_path, lab)
        path.parent.mkdir(parents=True)
        path.write_text(sshconfig.render([target(f"{lab}-1"), target(f"{lab}-2")]))
    assert list(sshconfig.guests(tmp_path)) == ["demo-1", "demo-2", "patch-1", "patch-2"]
    assert sshconfig.find_guest(tmp_path, "patch-2") == tmp_path / "labs/patch/ssh_config"
    with pytest.raises(UserError) as caught:
        sshconfig.find_guest(tmp_path, "demo1")
    assert caught.value.hint == "did you mean demo-1?"


def test_without_guests_the_way_to_some_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        sshconfig.find_guest(tmp_path, "demo-1")
    assert "kdevops up" in (caught.value.hint or "")


@pytest.mark.parametrize("name", ['a"b', "a\nProxyCommand evil"])
def test_a_path_that_the_format_cannot_hold_is_refused(name: str) -> None:
    with pytest.raises(UserError, match="cannot be written"):
        sshconfig.render([target("demo-1", Path("/") / name)])
    with pytest.raises(UserError, match="cannot be written"):
        sshconfig.include_line(Path("/") / name)


@pytest.mark.skipif(not shutil.which("ssh"), reason="ssh is not installed")
def test_ssh_reads_it_as_we_mean_it(tmp_path: Path) -> None:
    state = tmp_path / "my state 100%"
    generated = sshconfig.config_path(state, "demo")
    generated.parent.mkdir(parents=True)
    generated.write_text(sshconfig.render([target("demo-1"), target("demo-2", state)]))
    config = tmp_path / "config"
    config.write_text("Host *\n  ForwardAgent yes\n  User somebody\n")
    sshconfig.install(config, state)

    def ask(host: str) -> list[str]:
        argv = ["ssh", "-G", "-F", str(config), host]
        return subprocess.run(argv, check=True, capture_output=True, text=True, env=os.environ).stdout.splitlines()

    told = ask("demo-2")
    for line in ("hostname 127.0.0.1", "port 40022", "user root", "forwardagent no", "hostkeyalias demo-2"):
        assert line in told
    assert any(line.startswith("identityfile ") and line.endswith("my state 100%%/id_ed25519") for line in told)
    assert "user somebody" in ask("elsewhere")
