"""Each example does what it shows: run as its own language runs it, in a copy of its folder."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
import yaml

HERE = Path(__file__).parent
SCRIPTS = sysconfig.get_path("scripts")
DEBIANS_GO = Path("/usr/share/gocode")

needs_smbclient = pytest.mark.skipif(
    not shutil.which("smbclient"), reason="smbclient is not installed"
)


@pytest.fixture
def copy(tmp_path):
    """A copy of an example's folder, in which nothing else is."""

    def copy(name):
        return Path(shutil.copytree(HERE / name, tmp_path / name))

    return copy


def run(command, folder, **variables):
    """What it prints; it fails if the command does."""
    path = f"{SCRIPTS}:{os.environ['PATH']}"
    environment = {"PATH": path, "HOME": str(folder), "LC_ALL": "C.UTF-8", **variables}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True,
        timeout=280, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def test_python(copy):
    shown = run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"], copy("python"))
    assert "2 passed" in shown


@needs_smbclient
def test_shell(copy):
    assert run(["sh", "backup_test.sh"], copy("shell")).endswith("1 passed\n")


@pytest.mark.skipif(
    not (shutil.which("go") and (DEBIANS_GO / "src/github.com/hirochachacha").exists()),
    reason="Go and golang-github-hirochachacha-go-smb2-dev are not installed",
)
def test_go(copy):
    # Debian's packages have the library where modules do not look: GOPATH stands for go.mod.
    folder = copy("go")
    variables = {"GO111MODULE": "off", "GOPATH": str(DEBIANS_GO), "GOCACHE": str(folder / "cache")}
    shown = run(["go", "test", "-v", "smb_test.go"], folder, **variables)
    assert shown.count("--- PASS") == 2


@pytest.mark.skipif(not shutil.which("npm"), reason="npm is not installed")
def test_node(copy):
    folder = copy("node")
    installed = subprocess.run(
        ["npm", "install", "--silent", "--no-audit", "--no-fund"],
        cwd=folder, capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
    if installed.returncode:
        pytest.skip(f"npm has not got it: {installed.stderr[-200:]}")
    assert "# pass 2" in run(["npm", "test", "--", "--test-reporter=tap"], folder)


@pytest.fixture
def container(tmp_path):
    """What a service container of the image is: `tsmbd serve` with its environment."""
    started = []

    def container(variables):
        (tmp_path / "share").mkdir()
        (tmp_path / "etc").mkdir()
        fifo = tmp_path / "ready"
        os.mkfifo(fifo)
        environment = {
            "PATH": os.environ["PATH"], "SMBD_FOLDER": str(tmp_path / "share"), **variables,
        }  # fmt: skip
        command = [sys.executable, "-m", "smbd", "serve"]
        process = subprocess.Popen(
            [*command, "--listen", "127.0.0.1:0", "--ready-file", fifo],
            cwd=tmp_path / "etc", env=environment, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        started.append(process)
        return json.loads(fifo.read_text())

    yield container
    for process in started:
        process.terminate()
        process.wait(20)


def job_of(name):
    """The variables of the service, those of the job, and the script of the job."""
    if name == "github":
        job = yaml.safe_load((HERE / "github/test.yml").read_text())["jobs"]["test"]
        [step] = [step for step in job["steps"] if "run" in step]
        return job["services"]["files"]["env"], step["env"], step["run"]
    job = yaml.safe_load((HERE / "gitlab/.gitlab-ci.yml").read_text())["test"]
    [service] = job["services"]
    return service["variables"], job["variables"], "\n".join(job["script"])


@needs_smbclient
@pytest.mark.parametrize("name", ["github", "gitlab"])
def test_what_a_job_does_with_its_service_container(container, tmp_path, name):
    service, variables, script = job_of(name)
    told = container(service)
    assert variables == {"SMB_HOST": "files", "SMB_PORT": "4450"}
    reached = {"SMB_HOST": told["host"], "SMB_PORT": str(told["port"])}
    (tmp_path / "job").mkdir()
    run(["bash", "-e", "-c", script], tmp_path / "job", **reached)
    assert (tmp_path / "share/report.txt").read_text() == "all is well\n"


@pytest.mark.skipif(not shutil.which("rclone"), reason="rclone is not installed")
def test_rclone_has_a_remote_as_its_own_suite_wants_it(container, tmp_path):
    told = container({"USER": "ann", "PASSWORD": "correct-horse", "SHARE": "docs"})
    (tmp_path / "data/deep").mkdir(parents=True)
    (tmp_path / "data/deep/a.txt").write_text("a" * 70_000)
    obscured = run(["rclone", "obscure", told["password"]], tmp_path).strip()
    remote = {
        "RCLONE_CONFIG_TEST_TYPE": "smb", "RCLONE_CONFIG_TEST_HOST": told["host"],
        "RCLONE_CONFIG_TEST_PORT": str(told["port"]), "RCLONE_CONFIG_TEST_USER": told["user"],
        "RCLONE_CONFIG_TEST_PASS": obscured,
    }  # fmt: skip
    run(["rclone", "copy", "data", "TEST:docs"], tmp_path, **remote)
    run(["rclone", "check", "--download", "data", "TEST:docs"], tmp_path, **remote)
    assert (tmp_path / "share/deep/a.txt").read_text() == "a" * 70_000
