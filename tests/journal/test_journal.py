"""The journal has what a real client sent, and what it was answered; a test can wait for it."""

import json
import shutil
import subprocess

import pytest
from impacket.smbconnection import SessionError, SMBConnection

from smbd import testing
from smbd.journal import Lines


@pytest.fixture
def server(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "old.txt").write_bytes(b"x" * 5000)
    with testing.serve_in_thread(tmp_path, journal=True) as server:
        yield server


def connect(server):
    client = SMBConnection(server.host, server.host, sess_port=server.port, timeout=20)
    client.login(server.user, server.password)
    return client


def impacket_works(server):
    """Some of everything, by impacket."""
    client = connect(server)
    tree = client.connectTree(server.share)
    file = client.openFile(tree, r"a\old.txt")
    assert client.readFile(tree, file, 1000, 200, singleCall=True) == b"x" * 200
    client.closeFile(tree, file)
    new = client.createFile(tree, r"a\new.txt")
    assert client.writeFile(tree, new, b"y" * 300, 50) == 300
    client.closeFile(tree, new)
    client.rename(server.share, r"a\new.txt", r"a\other.txt")
    client.deleteFile(server.share, r"a\other.txt")
    with pytest.raises(SessionError):
        client.openFile(tree, "missing")
    client.close()


def test_it_has_what_was_sent_and_what_was_answered(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "old.txt").write_bytes(b"x" * 5000)
    # impacket would seal.
    with testing.serve_in_thread(tmp_path, journal=True, max_dialect="2.1") as server:
        impacket_works(server)
        found = server.requests
    assert [one.number for one in found] == [*range(1, len(found) + 1)]
    first = [one.command for one in found[:4]]
    assert first == ["NEGOTIATE", "NEGOTIATE", "SESSION_SETUP", "SESSION_SETUP"], "SMB 1's first"
    assert found.where(command="SESSION_SETUP")[0].status == "MORE_PROCESSING_REQUIRED"

    [read] = found.where(command="READ")
    assert (read.path, read.offset, read.length, read.count) == ("a/old.txt", 1000, 200, 200)
    assert (read.user, read.share, read.dialect) == ("test", "share", "2.1")
    assert read.status == "SUCCESS"
    assert read.signed
    assert not read.sealed
    assert 0 < read.seconds < 10
    assert read.client.startswith("127.0.0.1:")

    [write] = found.where(command="WRITE")
    assert (write.path, write.offset, write.length, write.count) == ("a/new.txt", 50, 300, 300)
    [made] = found.where(command="CREATE", create_action="CREATED")
    assert made.path == "a/new.txt"
    [renamed] = found.where(command="SET_INFO", info_class="RENAME")
    assert (renamed.path, renamed.details["new_path"]) == ("a/new.txt", "a/other.txt")
    assert found.where(path="a/other.txt", delete=True)
    [missing] = found.where(path="missing")
    assert missing.status == "OBJECT_NAME_NOT_FOUND"


def test_choices_are_by_pattern_and_name_and_a_wrong_name_is_told(server):
    impacket_works(server)
    found = server.requests
    assert found.where(path="A/*.TXT") == found.where(path=r"a\*.txt")
    assert len(found.where(path="a/*.txt")) > 5
    assert found.where(status="STATUS_OBJECT_NAME_NOT_FOUND") == found.where(path="missing")
    assert found.where(command="read", user="TEST") == found.where(command="READ")
    with pytest.raises(TypeError, match="Path: entries have client, command"):
        found.where(Path="x")


def test_reads_that_c_would_answer_are_in_it(server):
    client = connect(server)
    tree = client.connectTree(server.share)
    file = client.openFile(tree, r"a\old.txt")
    for at in range(20):
        client.readFile(tree, file, at, 10, singleCall=True)
    assert [one.offset for one in server.requests.where(command="READ")] == [*range(20)]
    client.close()


@pytest.mark.skipif(not shutil.which("smbclient"), reason="smbclient is not installed")
def test_what_is_sealed_is_in_it_with_its_path(server, tmp_path):
    (tmp_path / "got").mkdir()
    subprocess.run(
        [*server.smbclient.split(), "--client-protection=encrypt",
         "-c", r"get a\old.txt got/old; del a\old.txt"],
        cwd=tmp_path, check=True, capture_output=True,
    )  # fmt: skip
    [read] = server.requests.where(command="READ", status="SUCCESS")
    assert read.sealed
    assert (read.path, read.count) == ("a/old.txt", 5000)
    assert server.requests.where(path="a/old.txt", delete=True)


def test_a_test_waits_for_a_request_that_is_to_come_or_has_come(server):
    client = connect(server)
    tree = client.connectTree(server.share)
    file = client.openFile(tree, r"a\old.txt")
    with pytest.raises(TimeoutError, match=r"no request with command='CLOSE' within 0\.05 s"):
        server.wait_for(command="CLOSE", timeout=0.05)
    client.closeFile(tree, file)
    closed = server.wait_for(command="CLOSE", path="a/old.txt")
    assert closed == server.wait_for(command="CLOSE")
    server.clear_requests()
    assert not server.requests
    client.close()


async def test_a_task_waits_for_it_in_the_servers_own_loop(tmp_path):
    import trio

    async with testing.serve(tmp_path, journal=True) as server:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.to_thread.run_sync, lambda: connect(server).close())
            found = await server.await_for(command="SESSION_SETUP", status="SUCCESS")
        assert found.user == "test"


def test_it_is_bounded_and_says_how_many_are_forgotten(tmp_path):
    with testing.serve_in_thread(tmp_path, journal=5) as server:
        connect(server).close()
        connect(server).close()
        found = server.requests
        assert len(found) == 5
        assert found.forgotten == found[0].number - 1 > 0


def test_it_goes_on_over_a_restart(server):
    connect(server).close()
    before = len(server.requests)
    server.restart()
    connect(server).close()
    assert len(server.requests) > before
    assert len({one.client for one in server.requests}) == 2


def test_without_it_there_is_none(tmp_path):
    with testing.serve_in_thread(tmp_path) as server:
        with pytest.raises(RuntimeError, match="make it with journal=True"):
            server.requests  # noqa: B018
    with pytest.raises(ValueError, match="journal: must be an integer from 0 to 10000000, not -1"):
        with testing.serve_in_thread(tmp_path, journal=-1):
            pass


def test_its_lines_go_to_a_file_that_may_be_moved_away(tmp_path):
    lines = Lines(tmp_path / "log")
    lines.put({"number": 1})
    while not (tmp_path / "log").read_text():
        pass
    (tmp_path / "log").rename(tmp_path / "log.1")
    lines.put({"number": 2})
    lines.close()
    assert json.loads((tmp_path / "log.1").read_text()) == {"number": 1}
    assert json.loads((tmp_path / "log").read_text()) == {"number": 2}
    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o600


def test_what_a_slow_disk_does_not_take_is_counted(tmp_path, monkeypatch):
    monkeypatch.setattr("smbd.journal.lines._MOST_WAITING", 0)
    lines = Lines(tmp_path / "log")
    lines.put({"number": 1})
    lines.put({"number": 2})
    monkeypatch.undo()
    lines.put({"number": 3})
    lines.close()
    written = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert written == [{"dropped": 2}, {"number": 3}]
