"""Files that C removes by a CREATE and a CLOSE, each alone in its frame: as the commands would."""

import fcntl
import os
import socket
from struct import pack

import pytest

from smbd.ntstatus import NtStatus
from smbd.removals import Removals
from smbd.standby import Standby
from smbd.state import FileTable
from tests.core import messages
from tests.core.messages import CLOSE, CREATE, DELETE_ON_CLOSE, FILE_OPEN, QUERY_INFO, answers
from tests.scripted.framing import framed

from .test_apart import descriptors, held, say, talk
from .test_converse import Loop
from .test_removals import DELETES, MANY, by_c, disk, served, shown, visit

__all__ = ["by_c", "disk"]
STANDARD = 5
SETFLAGS, IMMUTABLE = 0x40086602, (0x10).to_bytes(8, "little")  # linux/fs.h
MADE_NS = 1_234_567_890_123_456_789


@pytest.fixture
async def rig(disk, monkeypatch):
    """A rig whose client is waited for, however slow this machine is; its first file is gone."""
    monkeypatch.setattr("smbd.removals._LONGEST", 60.0)
    async with served(disk) as rig:
        rig.waits = Loop(rig.transport.fileno)
        rig.transport._standby = Standby(rig.waits.epoll.fileno())
        await rig.ask(rig.stage.peer.request(*create("first")))
        (opened,) = [one for one in rig.stage.service.tables.opens if one.delete_on_close]
        ids = opened.persistent_id.to_bytes(8, "little") + opened.volatile_id.to_bytes(8, "little")
        await rig.ask(rig.stage.peer.request(CLOSE, messages.close(ids)))
        rig.quick.burst.moment = 60.0
        yield rig
        rig.transport._standby = None
        rig.waits.close()


@pytest.fixture
def entered(monkeypatch):
    """The files that have come into the tables."""
    found, add = [], FileTable.add
    monkeypatch.setattr(
        FileTable, "add", lambda table, open_: found.append(open_.file.path) or add(table, open_)
    )
    return found


def create(name, **how):
    how = {"access": DELETES, "options": DELETE_ON_CLOSE, "share": 7} | how
    return CREATE, messages.create(name, disposition=FILE_OPEN, **how)


def remove(rig, name, flags=0):
    created = say(rig, *create(name))
    return created, say(rig, CLOSE, messages.close(created.file_id, flags))


async def test_files_that_go_one_after_the_other_come_into_no_table(rig, disk, by_c, entered):
    looked, found = [], []
    for number, name in enumerate(MANY):
        os.utime(disk / name, ns=(MADE_NS, MADE_NS + number * 10**9))
        (frame,) = await rig.ask(rig.stage.peer.related(*visit(name)))
        looked.append(answers(frame)[0])
    fds, before = descriptors(), held(rig)
    entered.clear()
    talk(
        rig, lambda: found.extend(remove(rig, name, number % 2) for number, name in enumerate(MANY))
    )
    assert len(entered) < len(MANY) // 2
    assert sum(map(len, by_c)) > len(MANY) // 2
    for number, (seen, (created, closed)) in enumerate(zip(looked, found, strict=True)):
        assert [created.status, closed.status] == [0, 0]
        assert shown(created) == shown(seen)
        assert closed.body[8:60] == (seen.body[8:60] if number % 2 else bytes(52))
    assert len({created.file_id for created, _ in found}) == len(MANY)
    assert sorted(one.name for one in disk.iterdir()) == ["folder", "known"]
    assert (descriptors(), held(rig)) == (fds, before)
    assert rig.window.is_in_order


def _told(rig, _name, file_id):
    return say(rig, QUERY_INFO, messages.query_info(file_id, STANDARD))


def _opened_again(rig, name, _file_id):
    opened = say(rig, *create(name, options=0, access=0x80))
    say(rig, CLOSE, messages.close(opened.file_id))
    return opened


def _opened_by_who_shares_nothing(rig, name, _file_id):
    return say(rig, *create(name, options=0, access=0x120089, share=0))


def _closed_by_another_id(rig, _name, file_id):
    return say(rig, CLOSE, messages.close(file_id[:8] + bytes(8)))


def _followed_by_another(rig, name, _file_id):
    return remove(rig, f"{name}0")[1]


BETWEEN = [
    (_told, 0), (_opened_again, 0), (_closed_by_another_id, NtStatus.FILE_CLOSED),
    (_opened_by_who_shares_nothing, NtStatus.SHARING_VIOLATION), (_followed_by_another, 0),
]  # fmt: skip


@pytest.mark.parametrize(("between", "status"), BETWEEN, ids=[one.__name__ for one, _ in BETWEEN])
async def test_what_comes_before_the_close_finds_the_open(
    rig, disk, by_c, entered, between, status
):
    found = []

    def play():
        remove(rig, "file 2")
        created = say(rig, *create("file 1"))
        found.extend([created, between(rig, "file 1", created.file_id)])
        assert (disk / "file 1").exists()
        found.append(say(rig, CLOSE, messages.close(created.file_id)))

    before = held(rig)
    entered.clear()
    talk(rig, play)
    assert [one.status for one in found] == [0, status, 0]
    assert "file 1" in entered
    assert not (disk / "file 1").exists()
    assert ["file 2"] in by_c
    assert held(rig) == before


async def test_an_open_whose_close_does_not_come_is_in_the_tables(rig, disk, monkeypatch):
    rig.quick.burst.moment = 0.0
    created, whys = [], []
    settle = Removals.settle
    monkeypatch.setattr(
        Removals, "settle", lambda removals: whys.append(rig.quick.why) or settle(removals)
    )
    talk(rig, lambda: created.append(say(rig, *create("file 1"))))
    (open_,) = [one for one in rig.stage.service.tables.opens if one.file.path == "file 1"]
    assert open_.delete_on_close
    assert open_.granted_access == DELETES
    assert created[0].file_id == pack("<QQ", open_.persistent_id, open_.volatile_id)
    assert whys == [0]  # ENDED: not LOOP, which had something to do when the client was done
    assert (disk / "file 1").exists()
    talk(rig, lambda: say(rig, CLOSE, messages.close(created[0].file_id)))
    assert not (disk / "file 1").exists()


async def test_a_client_that_goes_away_leaves_an_open_that_ends_with_its_session(rig, disk):
    def play():
        say(rig, *create("file 1"))
        rig.client.shutdown(socket.SHUT_RDWR)

    talk(rig, play)
    assert [one.file.path for one in rig.stage.service.tables.opens if one.delete_on_close] == [
        "file 1"
    ]


async def ended_otherwise(rig, change):
    """The status of a CLOSE before which another program has changed something: a worker looks."""

    def play():
        created = say(rig, *create("file 1"))
        change()
        end = messages.close(created.file_id)
        rig.client.send(framed(rig.stage.peer.request(CLOSE, end)))

    talk(rig, play)
    (closed,) = answers(*await rig.exchange(b""))
    return closed.status


async def test_another_file_that_has_come_by_the_name_stays(rig, disk):
    assert await ended_otherwise(rig, lambda: (disk / "file 2").rename(disk / "file 1")) == 0
    assert (disk / "file 1").read_bytes().startswith(b"file 2")


async def test_a_file_that_has_moved_meanwhile_stays(rig, disk):
    def move():
        (disk / "file 1").rename(disk / "moved")
        (disk / "file 2").rename(disk / "file 1")

    assert await ended_otherwise(rig, move) == 0
    assert (disk / "file 1").read_bytes().startswith(b"file 2")


async def test_one_more_name_that_has_come_stays(rig, disk):
    assert await ended_otherwise(rig, lambda: (disk / "two").hardlink_to(disk / "file 1")) == 0
    assert not (disk / "file 1").exists()
    assert (disk / "two").exists()


@pytest.mark.parametrize("which", ["folder", "file"])
async def test_what_linux_keeps_is_refused_by_the_create(rig, disk, by_c, which):
    path, found = disk if which == "folder" else disk / "file 1", []
    fd = os.open(path, os.O_RDONLY)
    try:
        fcntl.ioctl(fd, SETFLAGS, IMMUTABLE)
    except OSError as error:
        os.close(fd)
        pytest.skip(f"nothing can be kept here: {error.strerror}")
    try:
        talk(rig, lambda: found.append(say(rig, *create("file 1"))))
    finally:
        fcntl.ioctl(fd, SETFLAGS, bytes(8))
        os.close(fd)
    assert [one.status for one in found] == [NtStatus.ACCESS_DENIED]
    assert not by_c


async def test_a_folder_is_given_back_in_time(rig, disk, by_c, monkeypatch):
    """Workers may want its names, and nobody wakes the loop for them."""
    monkeypatch.setattr("smbd.removals._LONGEST", 0.0)
    talk(rig, lambda: [remove(rig, name) for name in MANY[:5]])
    assert not by_c
    assert not any((disk / name).exists() for name in MANY[:5])
    monkeypatch.setattr("smbd.removals._LONGEST", 60.0)
    talk(rig, lambda: [remove(rig, name) for name in MANY[5:10]])
    assert by_c
