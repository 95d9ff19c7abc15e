import json
from pathlib import Path

import pytest

from kdevops.__main__ import main
from kdevops.lab.load import load_lab
from kdevops.paths import data_dir


@pytest.fixture(autouse=True)
def _somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("KDEVOPS_LAB", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


def test_init_writes_a_lab_that_holds(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lab", "init"]) == 0
    assert load_lab(Path("lab.yaml")).lab.name == "demo"
    assert main(["lab", "init", "--template", "patch", "other.yaml"]) == 0
    assert load_lab(Path("other.yaml")).lab.kernel.source.path == Path.cwd()


@pytest.mark.parametrize("kind", ["file", "dangling"])
def test_init_never_overwrites(capsys: pytest.CaptureFixture[str], kind: str) -> None:
    if kind == "file":
        Path("lab.yaml").write_text("mine")
    else:
        Path("lab.yaml").symlink_to("nowhere")
    assert main(["lab", "init"]) == 2
    assert "lab.yaml exists already" in capsys.readouterr().err
    assert not Path("nowhere").exists()
    assert kind != "file" or Path("lab.yaml").read_text() == "mine"


def test_init_knows_its_templates(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lab", "init", "--template", "dmeo"]) == 2
    assert "there is no template dmeo; did you mean demo?" in capsys.readouterr().err


def test_validate_says_what_it_found(capsys: pytest.CaptureFixture[str]) -> None:
    main(["lab", "init"])
    capsys.readouterr()
    assert main(["lab", "validate"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("OK: lab demo, 2 guests (1 CPU, 1 GiB each), kernel from package linux-source-6.1, suites: ")
    assert main(["lab", "validate", "lab.yaml", "--set", "guests.count=1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["digest"] == load_lab(Path("lab.yaml"), ["guests.count=1"]).digest


def test_validate_tells_of_the_guests_what_counts_there(capsys: pytest.CaptureFixture[str]) -> None:
    def told(provider: str) -> str:
        Path("lab.yaml").write_text(f"name: x\nprovider: {provider}\nguests: {{count: 1}}\n")
        assert main(["lab", "validate"]) == 0
        return capsys.readouterr().out.partition(", kernel")[0]

    assert told("{type: hosts, hosts: [{address: 192.0.2.1}]}") == "OK: lab x, 1 machine of yours"
    assert told("{type: terraform, cloud: aws}") == "OK: lab x, 1 guest in aws"
    assert told("{type: terraform, cloud: aws, instance_type: c7i.large}") == "OK: lab x, 1 guest in aws (c7i.large)"
    assert told("{type: terraform, module: .}") == f"OK: lab x, 1 guest of {Path.cwd()}"


def test_validate_looks_further_than_the_fields(capsys: pytest.CaptureFixture[str]) -> None:
    Path("lab.yaml").write_text("name: x\nsuites: {fstests: {profiles: [xfs_cr]}}\n")
    assert main(["lab", "validate"]) == 2
    assert "lab.yaml:2:20: suites.fstests.profiles: there is no profile 'xfs_cr'" in capsys.readouterr().err


def test_validate_fails_with_every_line(capsys: pytest.CaptureFixture[str]) -> None:
    Path("lab.yaml").write_text("name: x\ncpu: 1\nkernal: {}\n")
    assert main(["lab", "validate", "--json"]) == 2
    told = capsys.readouterr()
    assert told.err.splitlines()[1] == "lab.yaml:3:1: kernal: no such field; did you mean kernel?"
    assert "lab.yaml:2:1" in json.loads(told.out)["error"]["message"]


@pytest.mark.parametrize("option", [[], ["--json"]])
def test_show_prints_the_effective_lab(capsys: pytest.CaptureFixture[str], option: list[str]) -> None:
    main(["lab", "init"])
    capsys.readouterr()
    assert main(["lab", "show", "--set", "guests.cpus=3", *option]) == 0
    Path("shown.yaml").write_text(capsys.readouterr().out)
    assert load_lab(Path("shown.yaml")).digest == load_lab(Path("lab.yaml"), ["guests.cpus=3"]).digest


def test_show_prints_sizes_as_people_write_them(capsys: pytest.CaptureFixture[str]) -> None:
    sizes = "{memory: 1.5GiB, disks: [{size: 20GiB}, {size: 1000001}], image: {size: 8G}}"
    lab = f"name: x\nguests: {sizes}\ncompare: {{kernel: {{patches: []}}, guests: {sizes}}}\n"
    Path("lab.yaml").write_text(lab.replace("1000001", "2000001") + "suites: {fstests: {profiles: xfs_crc}}\n")
    assert main(["lab", "show"]) == 0
    out = capsys.readouterr().out
    for line in ("memory: 1536MiB", "size: 20GiB", "size: 2000001", "size: 8GiB"):
        assert out.count(line) == 2, line
    assert "source: {}" not in out
    Path("shown.yaml").write_text(out)
    assert load_lab(Path("shown.yaml")).digest == load_lab(Path("lab.yaml")).digest
    assert main(["lab", "show", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["guests"]["memory"] == 3 << 29


def test_the_schema_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lab", "schema"]) == 0
    assert json.loads(capsys.readouterr().out)["properties"]["guests"]


def test_init_says_which_templates_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lab", "init", "--help"]) == 0
    told = "".join(capsys.readouterr().out.split())
    assert all(path.stem in told for path in data_dir("labs").glob("*.yaml"))
    assert "--template" in told


def test_every_template_stands_in_the_docs() -> None:
    page = (Path(__file__).parents[2] / "docs/labs.md").read_text()
    assert [path.stem for path in data_dir("labs").glob("*.yaml") if f"`{path.stem}`" not in page] == []


@pytest.mark.parametrize("path", sorted(data_dir("labs").glob("*.yaml")), ids=lambda path: path.stem)
def test_what_a_template_says_of_itself_holds_wherever_it_is_written(path: Path) -> None:
    """As lab.yaml of somebody who has no directory labs."""
    assert "labs/" not in path.read_text()


def test_ssh_config_is_not_added_and_taken_away_at_once(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["ssh-config", "--install", "--uninstall"]) == 2
    assert "--install and --uninstall: give only one of them" in capsys.readouterr().err
    assert not (tmp_path / "home/.ssh/config").exists()
    assert main(["ssh-config", "--show", "--show"]) == 0


def test_ssh_config_is_added_and_taken_away(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    config = tmp_path / "home/.ssh/config"
    assert main(["ssh-config"]) == 2
    assert main(["ssh-config", "--install"]) == 0
    assert config.read_text().count("Include") == 1
    capsys.readouterr()
    assert main(["ssh-config", "--show", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["installed"] is True
    assert main(["ssh-config", "--uninstall", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"file": str(config), "changed": True}
    assert not config.exists()
