"""`--journal` is an audit log; `--capture` is what Wireshark reads."""

import io
import json
import os
import subprocess
import sys

import pytest
from impacket.smbconnection import SMBConnection


@pytest.fixture
def serve(tmp_path):
    """Run `tsmbd serve` with these options for one visit, which makes and removes a file."""
    (tmp_path / "share").mkdir()
    os.mkfifo(tmp_path / "ready")

    def serve(*options):
        command = [sys.executable, "-m", "smbd", "serve", "share", "--user", "ann", "--port", "0"]
        process = subprocess.Popen(
            [*command, "--ready-file", "ready", *options], cwd=tmp_path, stdout=subprocess.DEVNULL
        )
        told = json.loads((tmp_path / "ready").read_text())
        client = SMBConnection(told["host"], told["host"], sess_port=told["port"], timeout=20)
        client.login(told["user"], told["password"])
        client.putFile(told["share"], "new.txt", io.BytesIO(b"text").read)
        client.deleteFile(told["share"], "new.txt")
        client.close()
        process.terminate()
        assert process.wait(20) == 0

    return serve


def test_it_says_who_made_wrote_and_removed_what(serve, tmp_path):
    (tmp_path / "audit").write_text('{"number": "of yesterday"}\n')
    serve("--journal", "audit")
    first, *entries = [json.loads(line) for line in (tmp_path / "audit").read_text().splitlines()]
    assert first == {"number": "of yesterday"}
    assert {one["user"] for one in entries} == {"", "ann"}
    found = {
        (one["command"], one["path"], one["status"], one.get("create_action"), one.get("count"))
        for one in entries
    }
    assert ("CREATE", "new.txt", "SUCCESS", "CREATED", None) in found
    assert ("WRITE", "new.txt", "SUCCESS", None, 4) in found
    assert [one["path"] for one in entries if one.get("delete")] == ["new.txt"]
    assert not any("password" in json.dumps(one) for one in entries)


def test_a_capture_is_whole_when_the_server_has_ended(serve, tmp_path):
    serve("--capture", "talk.pcap")
    assert (tmp_path / "talk.pcap").read_bytes()[:4] == b"\x4d\x3c\xb2\xa1"
    assert b"\xfeSMB" in (tmp_path / "talk.pcap").read_bytes()
    [line] = (tmp_path / "talk.pcap.keys").read_text().splitlines()
    assert line.count(",") == 3
    assert (tmp_path / "talk.pcap.keys").stat().st_mode & 0o077 == 0, "whoever has it reads all"


def test_a_file_that_cannot_be_written_ends_the_start(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "smbd", "serve", ".", "--port", "0", "--journal", "missing/audit"],
        cwd=tmp_path, capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "missing/audit" in done.stderr
