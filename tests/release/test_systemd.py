"""The unit is one that systemd takes and finds safe; and the server tells it how it is."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys

import pytest
from impacket.smbconnection import SMBConnection

from smbd.cli.show import FILES
from tests.release.generate import PACKAGE

needs_analyze = pytest.mark.skipif(
    not shutil.which("systemd-analyze"), reason="systemd is not installed"
)
SERVE = [sys.executable, "-m", "smbd", "serve", "."]


@pytest.fixture
def unit(tmp_path):
    """The unit, with a program that is there: what systemd would start."""
    text = (PACKAGE / FILES["service"]).read_text()
    file = tmp_path / "tsmbd.service"
    file.write_text(text.replace("@TSMBD@", shutil.which("true")))
    return file


@needs_analyze
def test_the_units_are_well_formed(unit):
    shutil.copy(PACKAGE / FILES["socket"], unit.with_suffix(".socket"))
    found = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", unit, unit.with_suffix(".socket")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert not [line for line in found.stderr.splitlines() if "tsmbd" in line]
    assert found.returncode == 0


@needs_analyze
def test_its_exposure_is_small(unit):
    found = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", unit],
        capture_output=True,
        text=True,
        check=True,
    )
    level = re.search(r"Overall exposure level .*: ([\d.]+)", found.stdout)
    assert float(level[1]) <= 2.0, "of 10; systemd calls it OK up to 4"


class Manager:
    """The end of sd_notify that systemd holds."""

    def __init__(self, path):
        self.path = str(path)
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(self.path)
        self.sock.settimeout(30)

    def hears(self):
        return dict(line.split("=", 1) for line in self.sock.recv(4096).decode().splitlines())


@pytest.fixture
def manager(tmp_path):
    made = Manager(tmp_path / "notify")
    yield made
    made.sock.close()


@pytest.fixture
def start(tmp_path, manager):
    """Start the server as systemd does; the test ends it, or this does."""
    started = []
    (tmp_path / "password").write_text("secret\n")
    (tmp_path / "password").chmod(0o600)

    def start(*arguments, command=SERVE, sock=None, **variables):
        environment = {**os.environ, "NOTIFY_SOCKET": manager.path, **variables}
        if sock is not None:
            # As systemd does it: as descriptor 3, for the process of this number.
            environment["FD"] = str(sock.fileno())
            shell = 'export LISTEN_PID=$$ LISTEN_FDS=1; exec "$@" 3<&$FD 2>complaint'
            command = ["bash", "-c", shell, "bash", *command]
        process = subprocess.Popen(
            [*command, *arguments],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.DEVNULL,
            pass_fds=() if sock is None else (sock.fileno(),),
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


CONFIG = """
[server]
listen = ["127.0.0.1:0"]
[users.me]
password = "secret"
[shares.share]
path = "."
"""


def test_it_says_when_it_serves_reads_again_and_ends(start, manager, tmp_path):
    (tmp_path / "shares.toml").write_text(CONFIG)
    process = start(command=SERVE[:-1])
    ready = manager.hears()
    assert ready["READY"] == "1"
    assert re.fullmatch(r"serves 1 shares on 127\.0\.0\.1:\d+", ready["STATUS"])

    process.send_signal(signal.SIGHUP)
    assert manager.hears()["RELOADING"] == "1"
    assert manager.hears()["READY"] == "1"

    process.terminate()
    assert manager.hears()["STOPPING"] == "1"
    assert process.wait(20) == 0


def test_it_serves_on_the_socket_that_it_was_started_with(start, manager):
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    process = start("--user", "me", "--password-file", "password", sock=listener)
    listener.close()
    assert str(port) in manager.hears()["STATUS"]
    client = SMBConnection("127.0.0.1", "127.0.0.1", sess_port=port, timeout=20)
    client.login("me", "secret")
    client.close()
    process.terminate()
    assert process.wait(20) == 0


def test_a_descriptor_that_does_not_listen_stops_the_start_with_its_name(start, tmp_path):
    one, other = socket.socketpair()
    process = start(sock=one)
    assert process.wait(20) == 1
    assert "socket 3 of LISTEN_FDS" in (tmp_path / "complaint").read_text()
    one.close()
    other.close()


def test_variables_of_another_process_hand_over_nothing(start, manager):
    process = start("--port", "0", LISTEN_PID="1", LISTEN_FDS="3")
    assert manager.hears()["READY"] == "1"
    process.terminate()
    assert process.wait(20) == 0


def test_a_manager_that_is_gone_is_no_reason_to_end(start, manager, tmp_path):
    (tmp_path / "shares.toml").write_text(CONFIG)
    process = start(command=SERVE[:-1])
    assert manager.hears()["READY"] == "1"
    manager.sock.close()
    process.send_signal(signal.SIGHUP)
    process.terminate()
    assert process.wait(20) == 0
