"""What the Dockerfile promises, as far as reading it can show; build.sh builds and runs it."""

import fnmatch
import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from smbd.cli import make_parser
from smbd.config import Address, load

HERE = Path(__file__).parents[2]


def instructions():
    """(INSTRUCTION, its text) of each, comments and line ends taken out."""
    text = re.sub(r"^\s*#.*\n", "", (HERE / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    return [tuple(line.split(" ", 1)) for line in lines if line]


def last_stage():
    found = instructions()
    start = max(at for at, (name, _) in enumerate(found) if name == "FROM")
    return found[start:]


def the_one(name):
    [value] = [value for found, value in last_stage() if found == name]
    return value


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """What the image serves by its environment alone, and a password."""
    for variable in ("USER", "SHARE", "PASSWORD_FILE"):
        monkeypatch.delenv(variable, raising=False)
    [folder] = [
        value.partition("=")[2]
        for name, value in last_stage()
        if name == "ENV" and value.startswith("SMBD_FOLDER=")
    ]
    monkeypatch.setenv("SMBD_FOLDER", folder)
    monkeypatch.setenv("PASSWORD", "secret")
    return load(tmp_path / "shares.toml")


def test_both_stages_have_the_same_python_that_debian_is_under():
    found = instructions()
    assert found[0] == ("ARG", "PYTHON=python:3.11-slim-bookworm")
    stages = [value for name, value in found if name == "FROM"]
    assert stages == ["${PYTHON} AS build", "${PYTHON}"]


def test_it_runs_as_nobody_special_by_a_number_that_kubernetes_can_check():
    user, group = the_one("USER").split(":")
    assert int(user) > 0
    assert int(group) > 0


def test_what_it_serves_is_the_volume_and_the_port(shipped):
    [share] = shipped.shares
    assert str(share.path) == the_one("VOLUME")
    assert not share.guest
    [address] = shipped.server.listen
    assert address == Address("0.0.0.0", int(the_one("EXPOSE")))
    assert address.port > 1023, "no capability is needed"
    [user] = shipped.users
    assert user.password == "secret", "which is nowhere in the image"


def test_it_finds_its_file_and_ends_by_the_signal_that_drains():
    assert "/etc/smbd" in "".join(value for name, value in last_stage() if name == "RUN")
    assert the_one("WORKDIR") == "/etc/smbd"
    assert the_one("STOPSIGNAL") == "SIGTERM"


def test_its_commands_are_commands_without_a_shell_between():
    program = json.loads(the_one("ENTRYPOINT"))
    assert program == ["smbd"]
    parser = make_parser()
    assert parser.parse_args(json.loads(the_one("CMD"))).command == "serve"
    options, _, command = the_one("HEALTHCHECK").partition(" CMD ")
    [name, *words] = json.loads(command)
    assert name == "smbd"
    health = parser.parse_args(words)
    assert health.command == "health"
    timeout = re.search(r"--timeout=(\d+)s", options)
    assert health.timeout < int(timeout[1]), "it tells why before it is killed"


def test_all_that_is_copied_is_there_and_let_through():
    rules = [
        line
        for line in (HERE / ".dockerignore").read_text().splitlines()
        if line and line[0] != "#"
    ]
    assert rules[0] == "*"
    let_through = {rule[1:] for rule in rules if rule.startswith("!")}
    copied = [
        word
        for name, value in instructions()
        if name == "COPY" and "--from" not in value
        for word in shlex.split(value)[:-1]
    ]
    assert set(copied) == let_through
    assert all((HERE / one).exists() for one in copied)
    for secret in (".git", "shares.toml", "me.password", ".venv"):
        assert not any(fnmatch.fnmatch(secret, one) for one in let_through)


def test_the_script_that_builds_it_is_a_script():
    script = HERE / "tests/docker/build.sh"
    assert script.stat().st_mode & 0o111
    subprocess.run(["bash", "-n", script], check=True)
    if shutil.which("shellcheck"):
        subprocess.run(["shellcheck", script], check=True)


def test_the_readme_names_what_the_image_has():
    readme = (HERE / "README.md").read_text()
    docker = readme[readme.index("## Docker") :]
    docker = docker[: docker.index("\n## ", 3)]
    assert f":{the_one('EXPOSE')}" in docker
    assert the_one("VOLUME") in docker
    assert "/run/secrets/smbd_password" in docker
    assert "tests/docker/build.sh" in docker
