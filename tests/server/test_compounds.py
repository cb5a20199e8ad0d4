"""Compounds ([MS-SMB2] 3.3.5.2.7): several requests in one frame, as Explorer and cifs.ko send."""

import pytest
from smbprotocol.open import Open

from smbd.ntstatus import NtStatus
from smbd.testing import serve, serve_in_thread
from smbd.wire.access import Access
from smbd.wire.create import CreateDisposition
from tests.core import messages
from tests.core.messages import CHANGE_NOTIFY, ECHO, LOCK
from tests.scripted import connected
from tests.server.clients import PypiClient
from tests.server.clients.refusals import REFUSALS

READS = Access.FILE_READ_DATA | Access.FILE_WRITE_DATA


def chain(pypi, opened, *later, disposition=CreateDisposition.OPEN):
    """CREATE, then what works on the file that it opens, in one frame; the results or statuses."""
    first = opened.create(2, READS, 0, 7, disposition, 0, send=False)
    messages, finishers = zip(first, *later, strict=True)
    tree = opened.tree_connect
    sent = pypi.connection.send_compound(
        messages, tree.session.session_id, tree.tree_connect_id, related=True
    )
    results = []
    for finish, request in zip(finishers, sent, strict=True):
        try:
            results.append(finish(request))
        except REFUSALS as error:
            results.append(error.status)
    return results


@pytest.mark.parametrize("how", [{}, {"encrypt": True}, {"dialect": "2.1"}, {"dialect": "3.0"}])
def test_create_read_close_in_one_frame(folder, server, how):
    (folder / "file").write_bytes(b"contents")
    with PypiClient(server, **how) as pypi:
        opened = Open(pypi.tree, "file")
        _, data, _ = chain(pypi, opened, opened.read(0, 100, send=False), opened.close(send=False))
        assert server.server.document()["opens"] == []
    assert data == b"contents"


def test_create_write_read_close_in_one_frame(folder, pypi):
    opened = Open(pypi.tree, "new")
    _, written, data, _ = chain(
        pypi,
        opened,
        opened.write(b"hello", send=False),
        opened.read(0, 100, send=False),
        opened.close(send=False),
        disposition=CreateDisposition.CREATE,
    )
    assert (written, data) == (5, b"hello")
    assert (folder / "new").read_bytes() == b"hello"


def test_what_follows_a_failed_create_fails_with_it(pypi):
    opened = Open(pypi.tree, "missing")
    statuses = chain(pypi, opened, opened.read(0, 100, send=False), opened.flush(send=False))
    assert statuses == [NtStatus.OBJECT_NAME_NOT_FOUND] * 3


def test_what_fails_in_the_middle_does_not_keep_the_file_open(folder, server, pypi):
    (folder / "empty").touch()
    opened = Open(pypi.tree, "empty")
    _, read, _ = chain(pypi, opened, opened.read(0, 10, send=False), opened.close(send=False))
    assert read == NtStatus.END_OF_FILE
    assert server.server.document()["opens"] == []


def test_a_stat_is_one_frame(folder, pypi):
    (folder / "file").write_bytes(b"x" * 1234)
    stat = pypi.call("stat", "file")
    assert stat.st_size == 1234
    assert stat.st_ino == (folder / "file").stat().st_ino
    assert stat.st_mtime_ns // 100 == (folder / "file").stat().st_mtime_ns // 100


@pytest.mark.parametrize("engine", ["sync", "threads", "nowait"])
def test_with_every_engine(folder, engine):
    (folder / "file").write_bytes(b"contents")
    with serve_in_thread(folder, engine=engine) as server, PypiClient(server) as pypi:
        opened = Open(pypi.tree, "file")
        _, data, _ = chain(pypi, opened, opened.read(0, 100, send=False), opened.close(send=False))
    assert data == b"contents"


async def test_what_may_wait_for_ever_is_refused_in_the_middle_of_a_compound(tmp_path):
    """Its client could not be told that it waits, and would never get the other answers."""
    whole = messages.EXCLUSIVE
    async with serve(tmp_path) as started, connected(started) as client:
        await client.connect()
        holder, waiter = await client.open("file"), await client.open("file")
        folder = await client.open("", options=1)
        assert (await client.lock(holder, (0, 10, whole))).status == 0
        for command, body in (
            (LOCK, messages.lock(waiter, (0, 10, whole))),
            (CHANGE_NOTIFY, messages.change_notify(folder)),
        ):
            ids = await client.begin_compound((command, body), (ECHO, messages.EMPTY), flags=0)
            answers = [(await client.reply(one)).status for one in ids]
            assert answers == [NtStatus.NOT_SUPPORTED, 0]
            ids = await client.begin_compound((ECHO, messages.EMPTY), (command, body), flags=0)
            await client.interim(ids[1])
            assert (await client.reply(ids[0])).status == 0, "the last one waits"
