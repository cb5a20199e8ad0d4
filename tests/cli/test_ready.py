"""`--ready-file` tells other programs how to connect; `--die-with-parent` leaves nothing behind."""

import json
import os
import signal
import stat
import subprocess
import sys
import time

import pytest
from impacket.smbconnection import SMBConnection

SERVE = [sys.executable, "-m", "smbd", "serve"]


@pytest.fixture
def start(tmp_path):
    """Start `tsmbd serve` with a ready file; return the process and what the file says."""
    started = []
    ready = tmp_path / "ready.json"

    def start(*arguments):
        process = subprocess.Popen(
            [*SERVE, *arguments, "--port", "0", "--ready-file", ready],
            cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        started.append(process)
        return process, until_there(ready)

    yield start
    for process in started:
        process.kill()
        process.wait()


def until_there(file):
    deadline = time.monotonic() + 240
    while not file.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return json.loads(file.read_text())


def log_in(told):
    client = SMBConnection(told["host"], told["host"], sess_port=told["port"], timeout=20)
    client.login(told["user"], told["password"])
    client.listPath(told["share"], "*")
    client.close()


def test_all_that_a_client_needs_is_in_it_while_the_server_is_there(start, tmp_path):
    (tmp_path / "my docs").mkdir()
    process, told = start("my docs", "--user", "ann smith")
    log_in(told)
    assert told["pid"] == process.pid
    assert told["path"] == str(tmp_path / "my docs")
    port, password = told["port"], told["password"]
    assert told["url"] == f"smb://ann%20smith:{password}@127.0.0.1:{port}/my%20docs"
    assert told["unc"] == r"\\127.0.0.1\my docs"
    assert f"-p {port}" in told["smbclient"]
    assert f"port={port}" in told["mount"]

    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    assert not (tmp_path / "ready.json").exists(), "nobody can connect any more"


def test_only_this_user_may_read_it(start, tmp_path):
    start(".")
    found = (tmp_path / "ready.json").stat()
    assert stat.S_IMODE(found.st_mode) == 0o600, "there is a password in it"


def test_each_share_of_a_file_has_a_login_of_its_own(start, tmp_path):
    (tmp_path / "shares.toml").write_text(
        '[users.ann]\npassword = "a"\n[users.bob]\npassword = "b"\n'
        '[shares.one]\npath = "."\nusers = ["bob"]\n'
        '[shares.two]\npath = "."\n'
    )
    _, told = start()
    assert told["user"] == "bob"
    logins = [(one["share"], one["user"], one["password"]) for one in told["shares"]]
    assert logins == [("one", "bob", "b"), ("two", "ann", "a")]
    for one in told["shares"]:
        log_in(one)


def test_one_that_waits_at_a_fifo_need_not_ask_again_and_again(tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    process = subprocess.Popen(
        [*SERVE, ".", "--port", "0", "--ready-file", fifo],
        cwd=tmp_path, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        log_in(json.loads(fifo.read_text()))
    finally:
        process.terminate()
        assert process.wait(20) == 0
    assert fifo.exists(), "it is not the server's own"


def test_one_that_waits_at_a_fifo_hears_of_a_start_that_failed(tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    process = subprocess.Popen(
        [*SERVE, "missing", "--ready-file", fifo], cwd=tmp_path, stderr=subprocess.DEVNULL
    )
    assert fifo.read_text() == ""
    assert process.wait(20) == 2


def test_a_file_that_cannot_be_written_ends_the_start(tmp_path):
    done = subprocess.run(
        [*SERVE, ".", "--port", "0", "--ready-file", "missing/ready"],
        cwd=tmp_path, capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "missing" in done.stderr


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_server_ends_with_the_process_that_started_it(tmp_path, how):
    ready = tmp_path / "ready.json"
    serve = [*SERVE, ".", "--port", "0", "--ready-file", str(ready), "--die-with-parent"]
    start = f"""
import subprocess, threading, time
def begin():
    subprocess.Popen({serve})
thread = threading.Thread(target=begin)  # the end of a thread is not that of its process
thread.start()
thread.join()
time.sleep(60)
"""
    parent = subprocess.Popen(
        [sys.executable, "-c", start],
        cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    log_in(until_there(ready))
    parent.send_signal(how)
    parent.wait()
    deadline = time.monotonic() + 240
    while ready.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
