"""Every operation on an open file, and each right alone: allowed, or ACCESS_DENIED.

[MS-SMB2] 3.3.5.12 to 3.3.5.21, [MS-FSA] 2.1.5.  A CREATE for one right gives a handle with just
this right, and the operation must succeed with those named in the table and with no other.
"""

import os
from contextlib import asynccontextmanager
from struct import pack

import pytest

from smbd.ntstatus import NtStatus, status_name
from smbd.wire.access import Access
from smbd.wire.dtyp import Control, SecurityDescriptor, pack_security_descriptor
from smbd.wire.fscc import FILE_QUERIES, FILE_SYSTEM_QUERIES, FileClass
from smbd.wire.fsctl import Fsctl
from smbd.wire.query_info import SecurityInformation
from tests.commands.stage import HeldEngine, on_stage
from tests.commands.story import DIRECTORY, OPEN, Client
from tests.core import messages
from tests.core.messages import (
    CHANGE_NOTIFY,
    CLOSE,
    CREATE,
    FLUSH,
    IOCTL,
    LOCK,
    QUERY_DIRECTORY,
    QUERY_INFO,
    READ,
    SET_INFO,
    WRITE,
)

DENIED = NtStatus.ACCESS_DENIED
CONTENT = b"ten bytes."
RIGHTS = {
    name: value
    for name, value in vars(Access).items()
    if name.isupper()
    and value < Access.ACCESS_SYSTEM_SECURITY
    and name
    not in {"FILE_LIST_DIRECTORY", "FILE_ADD_FILE", "FILE_ADD_SUBDIRECTORY", "FILE_TRAVERSE"}
}
ANY = set(RIGHTS)
NONE: set[str] = set()
READS = {"FILE_READ_DATA", "FILE_EXECUTE"}
WRITES = {"FILE_WRITE_DATA"}
EXTENDS = {"FILE_WRITE_DATA", "FILE_APPEND_DATA"}
SEES = {"FILE_READ_ATTRIBUTES"}
DESCRIPTOR = pack_security_descriptor(
    SecurityDescriptor(None, None, [], control=Control.DACL_PRESENT)
)
OWNED = pack_security_descriptor(SecurityDescriptor(f"S-1-22-1-{os.geteuid()}", None, None))
EA = pack("<IBBH", 0, 0, 1, 1) + b"n\0v"
SECURITY, FILE_SYSTEM = 3, 2  # InfoType


class Disk(HeldEngine):
    """An engine that reads and writes at once."""

    def try_read(self, fd, into, offset):
        return os.preadv(fd, [into], offset)

    def try_write(self, fd, data, offset):
        return os.pwrite(fd, data, offset)

    async def fsync(self, fd):
        os.fsync(fd)


def query_file(number):
    return QUERY_INFO, lambda file: messages.query_info(file, number)


def query_file_system(number):
    return QUERY_INFO, lambda file: messages.query_info(file, number, info_type=FILE_SYSTEM)


def query_security(parts):
    return QUERY_INFO, lambda file: messages.query_info(
        file, 0, info_type=SECURITY, additional=parts
    )


def set_file(number, data):
    return SET_INFO, lambda file: messages.set_info(file, number, data)


def set_security(parts, data=DESCRIPTOR):
    return SET_INFO, lambda file: messages.set_info(
        file, 0, data, info_type=SECURITY, additional=parts
    )


def ioctl(code, data=b""):
    return IOCTL, lambda file: messages.ioctl(file, code, data)


def new_name(name):
    wide = name.encode("utf-16-le")
    return bytes(16) + pack("<I", len(wide)) + wide


def lock(flags):
    return LOCK, lambda file: messages.lock(file, (0, 1, flags | 16))


S = SecurityInformation
FILES = {
    "READ": (READ, messages.read, READS),
    "WRITE within the file": (WRITE, lambda file: messages.write(file, b"x"), WRITES),
    "WRITE at its end": (WRITE, lambda file: messages.write(file, b"x", len(CONTENT)), EXTENDS),
    "WRITE over its end": (WRITE, lambda file: messages.write(file, b"xx", 9), WRITES),
    "WRITE behind its end": (WRITE, lambda file: messages.write(file, b"x", 11), WRITES),
    "FLUSH": (FLUSH, messages.flush, EXTENDS),
    "LOCK shared": (*lock(1), {"FILE_READ_DATA", "FILE_WRITE_DATA"}),
    "LOCK exclusive": (*lock(2), {"FILE_READ_DATA", "FILE_WRITE_DATA"}),
    # QUERY_INFO
    **{f"QUERY_INFO {number}": (*query_file(number), ANY) for number in FILE_QUERIES},
    **{
        f"QUERY_INFO {number}": (*query_file(number), SEES)
        for number in (
            FileClass.BASIC,
            FileClass.ALL,
            FileClass.NETWORK_OPEN,
            FileClass.ATTRIBUTE_TAG,
        )
    },
    f"QUERY_INFO {FileClass.FULL_EA}": (*query_file(FileClass.FULL_EA), {"FILE_READ_EA"}),
    **{
        f"QUERY_INFO file system {number}": (*query_file_system(number), ANY)
        for number in FILE_SYSTEM_QUERIES
    },
    "QUERY_INFO security, nothing named": (*query_security(0), ANY),
    **{
        f"QUERY_INFO security {parts:#x}": (*query_security(parts), {"READ_CONTROL"})
        for parts in (S.OWNER, S.GROUP, S.DACL, S.LABEL, S.ATTRIBUTE, S.SCOPE)
    },
    "QUERY_INFO security SACL": (*query_security(S.SACL), NONE),
    "QUERY_INFO security BACKUP": (*query_security(S.BACKUP), NONE),
    # SET_INFO
    "SET_INFO basic": (*set_file(FileClass.BASIC, bytes(40)), {"FILE_WRITE_ATTRIBUTES"}),
    "SET_INFO rename": (*set_file(FileClass.RENAME, new_name("renamed")), {"DELETE"}),
    "SET_INFO link": (*set_file(FileClass.LINK, new_name("linked")), ANY),
    "SET_INFO disposition": (*set_file(FileClass.DISPOSITION, b"\1"), {"DELETE"}),
    "SET_INFO disposition, off": (*set_file(FileClass.DISPOSITION, b"\0"), {"DELETE"}),
    "SET_INFO disposition ex": (*set_file(FileClass.DISPOSITION_EX, pack("<I", 1)), {"DELETE"}),
    "SET_INFO position": (*set_file(FileClass.POSITION, bytes(8)), ANY),
    "SET_INFO mode": (*set_file(FileClass.MODE, bytes(4)), ANY),
    "SET_INFO allocation": (*set_file(FileClass.ALLOCATION, pack("<q", 4096)), WRITES),
    "SET_INFO end of file, shorter": (*set_file(FileClass.END_OF_FILE, pack("<q", 1)), WRITES),
    "SET_INFO end of file, longer": (*set_file(FileClass.END_OF_FILE, pack("<q", 99)), WRITES),
    "SET_INFO EA": (*set_file(FileClass.FULL_EA, EA), {"FILE_WRITE_EA"}),
    "SET_INFO security, nothing named": (*set_security(0), ANY),
    "SET_INFO security, what there is not": (*set_security(0xFFF0FF80), ANY),
    "SET_INFO security OWNER": (*set_security(S.OWNER, OWNED), {"WRITE_OWNER"}),
    "SET_INFO security GROUP": (*set_security(S.GROUP), {"WRITE_OWNER"}),
    "SET_INFO security LABEL": (*set_security(S.LABEL), {"WRITE_OWNER"}),
    "SET_INFO security DACL": (*set_security(S.DACL), {"WRITE_DAC"}),
    "SET_INFO security ATTRIBUTE": (*set_security(S.ATTRIBUTE), {"WRITE_DAC"}),
    "SET_INFO security SACL": (*set_security(S.SACL), NONE),
    "SET_INFO security SCOPE": (*set_security(S.SCOPE), NONE),
    "SET_INFO security BACKUP": (*set_security(S.BACKUP), NONE),
    "SET_INFO security DACL and OWNER": (*set_security(S.DACL | S.OWNER, OWNED), NONE),
    # IOCTL
    "resume key": (*ioctl(Fsctl.SRV_REQUEST_RESUME_KEY), ANY),
    "snapshots": (*ioctl(Fsctl.SRV_ENUMERATE_SNAPSHOTS), ANY),
    "get compression": (*ioctl(Fsctl.GET_COMPRESSION), ANY),
    "set compression": (
        *ioctl(Fsctl.SET_COMPRESSION, bytes(2)),
        {"FILE_WRITE_DATA", "FILE_WRITE_ATTRIBUTES"},
    ),
    "object id": (*ioctl(Fsctl.CREATE_OR_GET_OBJECT_ID), ANY),
    "set sparse": (*ioctl(Fsctl.SET_SPARSE), EXTENDS | {"FILE_WRITE_ATTRIBUTES"}),
    "zero data": (*ioctl(Fsctl.SET_ZERO_DATA, pack("<qq", 0, 5)), WRITES),
    "zero data behind the end": (*ioctl(Fsctl.SET_ZERO_DATA, pack("<qq", 10, 20)), WRITES),
    "allocated ranges": (
        *ioctl(Fsctl.QUERY_ALLOCATED_RANGES, pack("<qq", 0, 99)),
        {"FILE_READ_DATA"},
    ),
}
FOLDERS = {
    "QUERY_DIRECTORY": (QUERY_DIRECTORY, messages.query_directory, {"FILE_READ_DATA"}),
    "CHANGE_NOTIFY": (CHANGE_NOTIFY, messages.change_notify, {"FILE_READ_DATA"}),
    "FLUSH": (FLUSH, messages.flush, EXTENDS),
}


@asynccontextmanager
async def story(path):
    async with on_stage(path, Disk()) as stage:
        yield Client(stage)


async def statuses(me, path, command, body, *, options):
    """What the operation is answered with, for a handle of each right."""
    found = {}
    for number, (right, access) in enumerate(RIGHTS.items()):
        name = f"{number}"
        if options:
            (path / name).mkdir()
        else:
            (path / name).write_bytes(CONTENT)
        answer = await me.create(name, access=access, disposition=OPEN, options=options)
        assert answer.status == 0, right
        me.stage.ask(command, body(answer.file_id))
        answered = await me.stage.answers()
        found[right] = answered[0].status if answered else NtStatus.PENDING
        me.stage.ask(CLOSE, messages.close(answer.file_id))
        await me.stage.answers()  # a CHANGE_NOTIFY that waited is answered too
        for made in ("renamed", "linked"):
            (path / made).unlink(missing_ok=True)
    return found


def check(found, allowed):
    assert {right for right, status in found.items() if status != DENIED} == allowed
    failed = {right: status_name(found[right]) for right in allowed if found[right] & 0xC0000000}
    assert set(failed.values()) <= {"NO_EAS_ON_FILE", "NOT_SUPPORTED"}


@pytest.mark.parametrize("operation", FILES)
async def test_a_right_alone_allows_of_a_file_what_it_is_for(tmp_path, mock_clock, operation):
    command, body, allowed = FILES[operation]
    async with story(tmp_path) as me:
        check(await statuses(me, tmp_path, command, body, options=0), allowed)


@pytest.mark.parametrize("operation", FOLDERS)
async def test_and_of_a_folder(tmp_path, mock_clock, operation):
    command, body, allowed = FOLDERS[operation]
    async with story(tmp_path) as me:
        check(await statuses(me, tmp_path, command, body, options=DIRECTORY), allowed)


READ_DATA, WRITE_DATA = Access.FILE_READ_DATA, Access.FILE_WRITE_DATA
APPEND_DATA = Access.FILE_APPEND_DATA


@pytest.mark.parametrize(
    ("code", "source", "target", "allowed"),
    [
        (Fsctl.SRV_COPYCHUNK, READ_DATA, WRITE_DATA | READ_DATA, True),
        (Fsctl.SRV_COPYCHUNK, READ_DATA, WRITE_DATA, False),
        (Fsctl.SRV_COPYCHUNK, WRITE_DATA, WRITE_DATA | READ_DATA, False),
        (Fsctl.SRV_COPYCHUNK, READ_DATA, APPEND_DATA | READ_DATA, False),
        (Fsctl.SRV_COPYCHUNK_WRITE, READ_DATA, WRITE_DATA, True),
        (Fsctl.SRV_COPYCHUNK_WRITE, READ_DATA, APPEND_DATA, False),
        (Fsctl.SRV_COPYCHUNK_WRITE, READ_DATA, READ_DATA, False),
    ],
)
async def test_a_copy_needs_rights_over_both_files(
    tmp_path, mock_clock, code, source, target, allowed
):
    for name in ("source", "target"):
        (tmp_path / name).write_bytes(CONTENT)
    async with story(tmp_path) as me:
        from_ = await me.open("source", access=source)
        to = await me.open("target", access=target)
        answer = await me.ask(IOCTL, messages.ioctl(from_, Fsctl.SRV_REQUEST_RESUME_KEY))
        chunk = answer.raw[112:136] + pack("<II", 1, 0) + pack("<QQII", 5, 0, 5, 0)
        answer = await me.ask(IOCTL, messages.ioctl(to, code, chunk))
        assert answer.status == (0 if allowed else DENIED)
        assert (tmp_path / "target").read_bytes()[:5] == CONTENT[5:] or not allowed


async def test_a_descriptor_that_names_nothing_is_not_stored(tmp_path, mock_clock):
    async with story(tmp_path) as me:
        file = await me.open("file")
        for parts in (0, S.LABEL, S.ATTRIBUTE, 0xFFF0FF80):
            answer = await me.ask(SET_INFO, set_security(parts)[1](file))
            assert answer.status == 0
        assert os.listxattr(tmp_path / "file") == []


async def test_appends_in_one_burst_are_carried_out_as_they_came(tmp_path, mock_clock):
    (tmp_path / "log").write_bytes(CONTENT)
    async with story(tmp_path) as me:
        log = await me.open("log", access=APPEND_DATA)
        for number in range(20):
            me.stage.ask(WRITE, messages.write(log, b"%02d" % number, len(CONTENT) + 2 * number))
        answers = await me.stage.answers()
        assert [one.status for one in answers if one.status != NtStatus.PENDING] == [0] * 20
    written = b"".join(b"%02d" % number for number in range(20))
    assert (tmp_path / "log").read_bytes() == CONTENT + written


async def test_an_append_goes_behind_what_another_appended_meanwhile(tmp_path, monkeypatch):
    """The end is looked at, then others append, then this one: nothing of theirs is lost."""
    (tmp_path / "log").write_bytes(CONTENT)
    write = os.write

    def write_after_another(fd, data):
        with (tmp_path / "log").open("ab") as other:
            other.write(b"theirs")
        return write(fd, data)

    async with story(tmp_path) as me:
        log = await me.open("log", access=APPEND_DATA)
        monkeypatch.setattr("smbd.vfs.storage.os.write", write_after_another)
        answer = await me.ask(WRITE, messages.write(log, b"ours", len(CONTENT)))
        monkeypatch.undo()
        assert answer.status == 0
    assert (tmp_path / "log").read_bytes() == CONTENT + b"theirs" + b"ours"


async def test_a_cancel_takes_no_append_out_of_its_turn(tmp_path):
    """CANCELLED would say that nothing was done, and a WRITE is carried out once it is taken."""
    (tmp_path / "log").write_bytes(CONTENT)
    async with story(tmp_path) as me:
        log = await me.open("log", access=APPEND_DATA)
        me.stage.calls.holding = True
        me.stage.ask(WRITE, messages.write(log, b"a", len(CONTENT)))
        second = me.stage.ask(WRITE, messages.write(log, b"b", len(CONTENT) + 1))
        me.stage.ask(WRITE, messages.write(log, b"c", len(CONTENT) + 2))
        await me.stage.answers()
        me.stage.ask(messages.CANCEL, message_id=second)
        answers = []
        for call in range(3):
            me.stage.calls.held[call].finish()
            answers += await me.stage.answers()
        me.stage.calls.holding = False
    assert [one.status for one in answers] == [0, 0, 0]
    assert (tmp_path / "log").read_bytes() == CONTENT + b"abc"


async def test_append_is_a_right_over_the_end_of_a_new_file_too(tmp_path, mock_clock):
    async with story(tmp_path) as me:
        answer = await me.ask(CREATE, messages.create("new", access=APPEND_DATA))
        assert (await me.ask(WRITE, messages.write(answer.file_id, b"first"))).status == 0
        assert (await me.ask(WRITE, messages.write(answer.file_id, b"again"))).status == DENIED
        assert (await me.ask(WRITE, messages.write(answer.file_id, b"", 3))).status == 0
    assert (tmp_path / "new").read_bytes() == b"first"
