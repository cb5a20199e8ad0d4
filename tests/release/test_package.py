"""sdist and wheel are whole: what is installed of them serves, from an empty folder and home."""

import json
import os
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The folder that `python -m build` writes to, from what git knows of this tree."""
    source, folder = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    files = subprocess.run(listed, cwd=ROOT, capture_output=True, check=True).stdout
    tar = ["tar", "-c", "--null", "-T", "-", "--ignore-failed-read"]
    packed = subprocess.run(tar, cwd=ROOT, input=files, capture_output=True, check=True).stdout
    subprocess.run(["tar", "-x", "-C", source], input=packed, check=True)
    # The wheel is made of the sdist, in an environment of its own: what sdist lacks, it lacks.
    subprocess.run(
        [sys.executable, "-m", "build", "--outdir", folder, source],
        check=True, capture_output=True,
    )  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def installed(built, tmp_path_factory):
    """A prefix with the wheel in it, beside this environment's packages."""
    prefix = tmp_path_factory.mktemp("prefix")
    [wheel] = built.glob("*.whl")
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--ignore-installed",
         "--no-warn-script-location", "--prefix", prefix, wheel],
        check=True, capture_output=True,
    )  # fmt: skip
    return prefix


def test_the_sdist_has_all_that_a_wheel_is_made_of(built):
    [sdist] = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    for name in (
        "LICENSE",
        "README.md",
        "pyproject.toml",
        "smbd/native/burst.c",
        "smbd/CHANGELOG.md",
    ):
        assert name in names


def test_the_wheel_serves_every_python_and_has_the_c_to_build_at_its_first_use(built):
    [wheel] = built.glob("*.whl")
    assert wheel.name.endswith("-py3-none-any.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {"smbd/py.typed", "aio/py.typed", "smbd/cli/shares.toml"} <= {*names}
    assert {"smbd/native/burst.c", "smbd/native/guard.c"} <= {*names}
    assert any(name.startswith("aio/_uring/") and name.endswith(".c") for name in names)
    assert not any(name.startswith("tests") for name in names)
    assert any(name.endswith("share/man/man1/tsmbd.1") for name in names)


def run(installed, folder, *arguments, **options):
    libraries = Path(sysconfig.get_path("purelib", vars={"base": str(installed)}))
    # -P and PYTHONPATH: the wheel's smbd comes before the checkout's, which is installed too.
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(libraries)}
    return subprocess.Popen(
        [sys.executable, "-P", installed / "bin/tsmbd", *arguments],
        cwd=folder, env=environment, text=True, **options,
    )  # fmt: skip


def test_it_serves_from_an_empty_folder_and_home(installed, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data/hello.txt").write_text("hello")
    ready = tmp_path / "ready"
    os.mkfifo(ready)
    server = run(installed, tmp_path, "serve", "data", "--port", "0", "--ready-file", ready)
    told = json.loads(ready.read_text())
    assert told["program"].startswith(str(installed)), "the wheel's, not the checkout's"
    login = f"{told['user']}%{told['password']}"
    subprocess.run(
        ["smbclient", f"//{told['host']}/{told['share']}", "-p", str(told["port"]), "-U", login,
         "-c", "get hello.txt"],
        cwd=tmp_path, check=True, capture_output=True,
    )  # fmt: skip
    assert (tmp_path / "hello.txt").read_text() == "hello"
    server.terminate()
    assert server.wait(20) == 0


def test_what_is_printed_and_checked_needs_no_checkout(installed, tmp_path):
    for words in (["init"], ["check"], ["show", "man"], ["show", "changelog"]):
        done = run(installed, tmp_path, *words, stdout=subprocess.PIPE)
        assert done.communicate()[0], words
        assert done.returncode == 0, words
