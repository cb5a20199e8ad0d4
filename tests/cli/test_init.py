"""`tsmbd init` writes the documented shares.toml, which can be served as it is."""

import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

from smbd.cli import main
from smbd.config import load

HERE = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)


def test_it_writes_a_file_that_can_be_served(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["init"]) == 0
    assert capsys.readouterr().out.startswith("wrote shares.toml: edit it, then `tsmbd check`")
    assert main(["check"]) == 0
    [share] = load("shares.toml").shares
    assert share.name == "files"
    assert (tmp_path / "shares.toml").stat().st_mode & 0o777 == 0o600
    text = (tmp_path / "shares.toml").read_text()
    for line in (HERE / "shares.toml").read_text().splitlines():
        assert line in text, "nothing of what is documented is left out"


def test_what_is_there_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "shares.toml").write_text("mine")
    assert main(["init"]) == 2
    assert capsys.readouterr().err == "tsmbd: shares.toml: is there already, and stays as it is\n"
    assert (tmp_path / "shares.toml").read_text() == "mine"


def test_it_may_be_printed_and_have_another_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "-"]) == 0
    shown = capsys.readouterr().out
    assert main(["init", "other.toml"]) == 0
    assert Path("other.toml").read_text() == shown
    assert "tsmbd serve --config other.toml" in capsys.readouterr().out
    assert main(["init", "no/such/folder.toml"]) == 2


def test_the_package_names_the_file_that_the_project_documents() -> None:
    carried = HERE / "smbd/cli/shares.toml"
    assert carried.resolve() == (HERE / "shares.toml").resolve()
    project = tomllib.loads((HERE / "pyproject.toml").read_text())
    assert "shares.toml" in project["tool"]["setuptools"]["package-data"]["smbd.cli"]


@pytest.mark.skipif(
    int(version("setuptools").partition(".")[0]) < 77, reason="pyproject.toml asks for 77"
)
def test_the_wheel_carries_it(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE", "shares.toml"):
        shutil.copy(HERE / name, source)
    for name in ("smbd", "aio"):
        shutil.copytree(
            HERE / name, source / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__")
        )
    # By the setuptools that is here: another one would have to be fetched.
    script = "import setuptools; setuptools.setup()"
    built = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script, "-q", "build", "--build-lib", "built"],
        cwd=source,
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    carried = source / "built/smbd/cli/shares.toml"
    assert not carried.is_symlink()
    assert carried.read_text() == (HERE / "shares.toml").read_text()
