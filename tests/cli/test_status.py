"""`smbd status` shows what a running server says about itself."""

import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, fields
from pathlib import Path

import pytest

from aio import Stats
from smbd import __version__
from smbd.cli import main
from smbd.cli.status import report, served

DOCUMENT = {
    "version": __version__,
    "pid": 77,
    "uptime": 150.0,
    "listen": ["127.0.0.1:4450", "[::1]:4450"],
    "shares": [
        {
            "name": "music",
            "path": "/srv/music",
            "engine": "nowait+threads",
            "connections": 2,
            "opens": 3,
            **asdict(
                Stats(hits=900, misses=100, reads=1000, oversize=7, bytes_read=4096000, seconds=0.5)
            ),
        }
    ],
    "sessions": [
        {
            "id": "0x1f",
            "user": "ann",
            "client": "127.0.0.1:50000",
            "dialect": "3.1.1",
            "sealed": True,
            "trees": 1,
            "since": 3.0,
        }
    ],
    "opens": [],
    "locks": [
        {
            "share": "music",
            "path": "a/b",
            "user": "ann",
            "offset": 4096,
            "length": 10,
            "kind": "shared",
        }
    ],
}


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    folder = tmp_path / "smbd"
    folder.mkdir()
    return folder


@contextmanager
def server(path: Path, text: str) -> Iterator[None]:
    """A socket that answers one question with one text, as a server does."""

    def tell() -> None:
        connection, _ = listener.accept()
        with connection, connection.makefile() as asked:
            assert json.loads(asked.readline()) == {"ask": "status"}
            connection.sendall(text.encode())

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        thread = threading.Thread(target=tell)
        thread.start()
        yield
        thread.join()


def test_the_one_running_server_is_found(runtime: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with server(runtime / "77.sock", json.dumps(DOCUMENT)):
        assert main(["status"]) == 0
    shown = capsys.readouterr().out.rstrip("\n").split("\n\n")
    headline, shares, sessions, opens, locks = shown
    assert headline == f"smbd {__version__} on 127.0.0.1:4450, [::1]:4450, up 2 min, pid 77"
    assert shares.splitlines() == [
        "music: 2 connected, 3 files open, engine nowait+threads",
        "  reads                1000  completed, of 3.91 MiB",
        "    at once             900  from the page cache, without a thread",
        "    missed              100  were not all in the page cache",
        "  too long                7  reads and writes beyond the inline limit",
        "  awaited          500.0 ms  in calls of the engine, all together",
    ]
    assert sessions.splitlines() == [
        "session  user  client           SMB    secured  trees  since",
        "0x1f     ann   127.0.0.1:50000  3.1.1  sealed       1  3.0 s",
    ]
    assert opens == "no file is open"
    assert locks.splitlines() == [
        "share  path  user  lock    offset  length",
        "music  a/b   ann   shared    4096      10",
    ]


def test_a_socket_that_nobody_listens_to_any_more_is_passed_over(
    runtime: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(runtime / "1.sock"))
    assert main(["status"]) == 1
    assert capsys.readouterr().err == "tsmbd: no server of this user is running\n"


def test_json_is_passed_on_as_it_is(runtime: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with server(runtime / "77.sock", json.dumps(DOCUMENT)):
        assert main(["status", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == DOCUMENT


def test_a_socket_can_be_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "here"
    with server(path, json.dumps(DOCUMENT)):
        assert main(["status", "--socket", str(path)]) == 0
    assert "music" in capsys.readouterr().out
    missing = tmp_path / "not"
    assert main(["status", "--socket", str(missing)]) == 2
    assert capsys.readouterr().err == f"tsmbd: {missing}: No such file or directory\n"


@pytest.mark.parametrize("written", ["here.sock", None])
def test_the_status_socket_of_a_configuration_is_asked(
    runtime: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], written: str | None
) -> None:
    key = f"status_socket = '{written}'" if written else ""
    file = tmp_path / "shares.toml"
    file.write_text(f"[server]\n{key}\n[shares.a]\npath = '/'\nguest = true\n")
    path = tmp_path / written if written else runtime / f"{os.getpid() + 1}.sock"
    with server(path, json.dumps(DOCUMENT)):
        assert main(["status", "--config", str(file)]) == 0
    assert "music" in capsys.readouterr().out


def test_a_configuration_without_status_socket_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "shares.toml"
    file.write_text("[server]\nstatus_socket = ''\n[shares.a]\npath = '/'\nguest = true\n")
    assert main(["status", "--config", str(file)]) == 2
    assert 'status_socket = ""' in capsys.readouterr().err


def test_a_share_that_served_nothing_is_shown_by_status_and_not_at_the_end() -> None:
    idle = {"shares": [{"name": "a", "engine": "sync", "hits": 0, "connections": 1}]}
    assert served(idle) == ""
    assert served({"shares": [*idle["shares"], {"name": "b", "hits": 1}]}).startswith("b: ")
    assert "a: 1 connected, 0 files open, engine sync\n  nothing was read" in report(idle)


def test_a_session_of_several_connections_shows_how_many_there_are() -> None:
    session = DOCUMENT["sessions"][0]
    names = [session["client"], "127.0.0.1:50001", "127.0.0.1:50002"]
    shown = report({**DOCUMENT, "sessions": [{**session, "channels": names}]})
    assert "127.0.0.1:50000 +2" in shown
    assert " +" not in report({**DOCUMENT, "sessions": [{**session, "channels": names[:1]}]})


def test_what_is_heard_of_other_programs_is_shown_where_a_share_is_watched() -> None:
    share = {"name": "a", "engine": "sync", "watch": True}
    counts = {"marks": 3, "events": 10, "ours": 4, "overflows": 1}
    document = {"shares": [share], "local_changes": {"by": "fanotify, inotify", **counts}}
    assert report(document).split("\n\n")[1] == (
        "watched for other programs' changes, by fanotify, inotify: a\n"
        "  3 files and folders, 10 changes told, 4 of them smbd's own, 1 overflows"
    )
    assert "watched" not in report({"shares": [share], "local_changes": {"by": "", **counts}})


def test_a_file_kept_for_a_client_that_is_gone_shows_for_how_long() -> None:
    opened = {"share": "a", "path": "b", "user": "ann", "access": "rw"}
    shown = report({**DOCUMENT, "opens": [opened, {**opened, "path": "c", "parked": 42.0}]})
    assert "kept for" in shown
    assert "42" in shown
    assert "kept for" not in report({**DOCUMENT, "opens": [opened]})


def test_everything_fits_80_columns() -> None:
    session = {**DOCUMENT["sessions"][0], "signing": "AES-GMAC", "opens": 16384}
    session |= {"id": "0xffffffff", "user": "somebody@example.org", "since": 3e5}
    session["client"] = "[2001:db8:1234:5678:9abc:def0:1234:5678]:50000"
    session["channels"] = [session["client"]] * 32
    opened = {"share": "music", "path": "p" * 500 + "/the-end", "user": "ann", "access": "rwd"}
    share = {"name": "m", "engine": "nowait+threads", "engine_notes": "uring: no io_uring; " * 9}
    share |= {field.name: 10**15 for field in fields(Stats)}
    opened |= {"caching": "oplock batch", "parked": 299.9}
    local = {"by": "fanotify, inotify", **dict.fromkeys(("marks", "events", "ours"), 10**9)}
    shares = [share, *({"name": f"share-{number}", "watch": True} for number in range(20))]
    document = {**DOCUMENT, "local_changes": {**local, "overflows": 10**6}, "shares": shares}
    document["listen"] = [f"[2001:db8::{number}]:445" for number in range(9)]
    shown = report({**document, "sessions": [session], "opens": [opened]})
    assert max(map(len, shown.splitlines())) <= 80
    assert "/the-end" in shown, "the middle is cut"
    for what in ("0xffffffff", "reads and writes beyond the inline limit"):
        assert what in shown
