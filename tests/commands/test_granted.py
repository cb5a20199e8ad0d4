"""What CREATE grants works: each kind of file that Linux guards, by each right that it gave.

As an ordinary user, whatever these tests run as; root where the kernel forbids root too.
"""

import fcntl
import os
import shutil
import subprocess
from contextlib import ExitStack, asynccontextmanager, contextmanager
from struct import pack, unpack

import pytest

from smbd.ntstatus import NtStatus
from smbd.wire.access import Access
from smbd.wire.dtyp import Control, SecurityDescriptor, pack_security_descriptor
from smbd.wire.fscc import FileAttribute, FileClass
from smbd.wire.query_info import SecurityInformation
from tests.commands.stage import on_stage
from tests.commands.story import DIRECTORY, OPEN, Client
from tests.commands.test_rights import Disk
from tests.core import messages
from tests.core.messages import QUERY_DIRECTORY, QUERY_INFO, READ, SET_INFO, WRITE
from tests.vfs.conftest import NOBODY, another_user

IMMUTABLE, APPEND = 0x10, 0x20  # FS_IOC_SETFLAGS
FS_IOC_SETFLAGS = 0x40086602
MAXIMUM = Access.MAXIMUM_ALLOWED
TIME = 116444736000000000 + 10_000_000
DESCRIPTOR = pack_security_descriptor(
    SecurityDescriptor(None, None, None, control=Control.DACL_PRESENT)
)
S = SecurityInformation
# A file that is READONLY may be opened to be deleted, as it may be renamed.
SUCCESSES = {NtStatus.SUCCESS, NtStatus.NO_EAS_ON_FILE, NtStatus.CANNOT_DELETE}


def basic(attributes=0, time=0):
    return pack("<QQQQII", time, time, time, 0, attributes, 0)


def info(number, data):
    return SET_INFO, lambda file: messages.set_info(file, number, data)


def security(parts):
    return SET_INFO, lambda file: messages.set_info(
        file, 0, DESCRIPTOR, info_type=3, additional=parts
    )


EA = pack("<IBBH", 0, 0, 1, 1) + b"n\0v"
BOTH = {
    "READ_ATTRIBUTES": [(QUERY_INFO, lambda file: messages.query_info(file, FileClass.BASIC))],
    "READ_EA": [(QUERY_INFO, lambda file: messages.query_info(file, FileClass.FULL_EA))],
    "READ_CONTROL": [
        (QUERY_INFO, lambda file: messages.query_info(file, 0, info_type=3, additional=S.DACL))
    ],
    "WRITE_ATTRIBUTES": [
        info(FileClass.BASIC, basic(FileAttribute.HIDDEN)),
        info(FileClass.BASIC, basic(0, TIME)),
        info(FileClass.BASIC, basic(FileAttribute.NORMAL)),
    ],
    "WRITE_EA": [info(FileClass.FULL_EA, EA)],
    "WRITE_DAC": [security(S.DACL)],
    "WRITE_OWNER": [security(S.GROUP)],
}
OF_FILES = BOTH | {
    "READ_DATA": [(READ, messages.read)],
    "WRITE_DATA": [(WRITE, lambda file: messages.write(file, b"x"))],
    "APPEND_DATA": [(WRITE, lambda file: messages.write(file, b"x", 3))],
    "DELETE": [info(FileClass.DISPOSITION, b"\1")],
}
OF_FOLDERS = BOTH | {
    "READ_DATA": [(QUERY_DIRECTORY, messages.query_directory)],
    "DELETE": [info(FileClass.DISPOSITION, b"\1")],
}


def right(name):
    return getattr(Access, name, None) or getattr(Access, f"FILE_{name}")


def owned(path, owner, mode):
    if os.geteuid() != 0:
        pytest.skip("files of several users take root")
    os.chown(path, owner, owner)
    path.chmod(mode)


@contextmanager
def flagged(path, flags):
    """A file with what chattr gives."""
    with ExitStack() as at_end:
        fd = os.open(path, os.O_RDONLY)
        at_end.callback(os.close, fd)
        try:
            fcntl.ioctl(fd, FS_IOC_SETFLAGS, pack("l", flags))
        except OSError:
            pytest.skip("no chattr here")
        at_end.callback(fcntl.ioctl, fd, FS_IOC_SETFLAGS, pack("l", 0))
        yield


@contextmanager
def read_only(path):
    """A folder mounted over itself, to be read only."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("mounting takes root")
    command = ["mount", "--bind", "-o", "ro", str(path), str(path)]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)


@contextmanager
def running(path):
    """A program that runs cannot be written."""
    shutil.copy(shutil.which("sleep"), path)
    owned(path, NOBODY, 0o755)
    with subprocess.Popen([path, "60"]) as process:
        try:
            yield
        finally:
            process.kill()


ROOT = 0
# owner, mode of the file, owner and mode of its folder
MODES = {
    "all his own": (NOBODY, 0o644, NOBODY, 0o755),
    "his own, not to be written": (NOBODY, 0o444, NOBODY, 0o755),
    "his own, not to be read": (NOBODY, 0o200, NOBODY, 0o755),
    "his own, nothing allowed": (NOBODY, 0o000, NOBODY, 0o755),
    "another's, all may write": (ROOT, 0o666, ROOT, 0o755),
    "another's, all may only write": (ROOT, 0o222, ROOT, 0o755),
    "another's, his group may write": (ROOT, 0o660, ROOT, 0o775),  # the group of these tests
    "another's, all may read": (ROOT, 0o644, ROOT, 0o755),
    "another's, nothing allowed": (ROOT, 0o600, ROOT, 0o755),
    "another's, in a folder of his": (ROOT, 0o600, NOBODY, 0o755),
    "another's, in a sticky folder": (ROOT, 0o666, ROOT, 0o1777),
    "his own, in a sticky folder": (NOBODY, 0o600, ROOT, 0o1777),
    "another's sticky folder": (ROOT, 0o1777, ROOT, 0o777),
    "in a folder that may not be searched": (NOBODY, 0o666, ROOT, 0o755),
}


@asynccontextmanager
async def story(path):
    async with on_stage(path, Disk()) as stage:
        yield Client(stage)


async def check_granted(me, name, table, *, options=0):
    """What MAXIMUM_ALLOWED grants works, right by right; what it does not, a CREATE refuses."""
    answer = await me.create(name, access=MAXIMUM, disposition=OPEN, options=options)
    assert answer.status == 0, hex(answer.status)
    status, data = await me.query(answer.file_id, FileClass.ACCESS)
    assert status == 0
    (granted,) = unpack("<I", data)
    await me.close(answer.file_id)
    for what in table:
        if not granted & right(what):
            status = await me.status_of_open(name, right(what))
            assert status in {NtStatus.ACCESS_DENIED, NtStatus.MEDIA_WRITE_PROTECTED}, what
    worked = [what for what in table if granted & right(what)]
    for what in worked:
        answer = await me.create(name, access=right(what), disposition=OPEN, options=options)
        assert answer.status == 0, (what, hex(answer.status))
        for command, body in table[what]:
            status = (await me.ask(command, body(answer.file_id))).status
            assert status in SUCCESSES, (what, hex(status))
        if what == "DELETE":
            assert await me.set(answer.file_id, FileClass.DISPOSITION, b"\0") == 0
        await me.close(answer.file_id)
    return set(worked)


@pytest.mark.parametrize("case", MODES)
async def test_what_is_granted_of_a_file_works(tmp_path, mock_clock, case):
    owner, mode, folder_owner, folder_mode = MODES[case]
    share = tmp_path / "share"
    share.mkdir()
    (share / "file").write_bytes(b"abc")
    owned(share / "file", owner, mode & 0o777)
    owned(share, folder_owner, folder_mode)
    async with story(share) as me:
        with another_user():
            worked = await check_granted(me, "file", OF_FILES)
    writable = mode & 0o200 if owner == NOBODY else mode & 0o020
    if writable:
        assert worked >= {"WRITE_DATA", "APPEND_DATA", "WRITE_ATTRIBUTES"}
    if owner == NOBODY:
        assert "WRITE_ATTRIBUTES" in worked
    # A descriptor that cannot be read again would shut everybody out.
    assert ("WRITE_DAC" in worked) == (worked >= {"WRITE_ATTRIBUTES", "READ_DATA"})


@pytest.mark.parametrize("case", MODES)
async def test_and_of_a_folder(tmp_path, mock_clock, case):
    owner, mode, folder_owner, folder_mode = MODES[case]
    share = tmp_path / "share"
    (share / "dir").mkdir(parents=True)
    owned(share / "dir", owner, mode | (mode & 0o444) >> 2)
    owned(share, folder_owner, folder_mode)
    async with story(share) as me:
        with another_user():
            await check_granted(me, "dir", OF_FOLDERS, options=DIRECTORY)


async def test_of_what_an_access_list_of_unix_allows_too(tmp_path, mock_clock):
    file = tmp_path / "file"
    file.write_bytes(b"abc")
    owned(tmp_path, NOBODY, 0o755)
    entries = (1, 6, 0), (2, 6, NOBODY), (4, 0, 0), (0x10, 6, 0), (0x20, 0, 0)
    packed = pack("<I", 2) + b"".join(pack("<HHI", *entry) for entry in entries)
    try:
        os.setxattr(file, "system.posix_acl_access", packed)
    except OSError:
        pytest.skip("no access lists here")
    async with story(tmp_path) as me:
        with another_user():
            assert await check_granted(me, "file", OF_FILES) == set(OF_FILES)


@pytest.mark.parametrize("table", ["file", "dir"])
@pytest.mark.parametrize("flags", [IMMUTABLE, APPEND])
@pytest.mark.parametrize("user", ["root", "nobody"])
async def test_of_what_chattr_guards_too(tmp_path, mock_clock, table, flags, user):
    (tmp_path / "file").write_bytes(b"abc")
    (tmp_path / "dir").mkdir()
    owned(tmp_path / table, NOBODY, 0o777)
    owned(tmp_path, NOBODY, 0o755)
    options = DIRECTORY if table == "dir" else 0
    async with story(tmp_path) as me:
        with flagged(tmp_path / table, flags), ExitStack() as as_user:
            if user == "nobody":
                as_user.enter_context(another_user())
            operations = OF_FOLDERS if options else OF_FILES
            worked = await check_granted(me, table, operations, options=options)
    assert "READ_DATA" in worked
    assert not worked & {"WRITE_ATTRIBUTES", "DELETE", "WRITE_EA", "WRITE_DAC"}


@pytest.mark.parametrize("name", ["file", "fixed", "dir"])
@pytest.mark.parametrize("user", ["root", "nobody"])
async def test_of_a_read_only_file_system_maximum_allowed_is_reading(
    tmp_path, mock_clock, name, user
):
    share = tmp_path / "share"
    (share / "dir").mkdir(parents=True)
    for one in ("file", "fixed"):
        (share / one).write_bytes(b"abc")
    owned(share / "fixed", NOBODY, 0o444)
    owned(share / "file", NOBODY, 0o644)
    owned(share, NOBODY, 0o755)
    options = DIRECTORY if name == "dir" else 0
    with read_only(share):
        async with story(share) as me:
            with ExitStack() as as_user:
                if user == "nobody":
                    as_user.enter_context(another_user())
                operations = OF_FOLDERS if options else OF_FILES
                worked = await check_granted(me, name, operations, options=options)
    assert worked == {"READ_DATA", "READ_ATTRIBUTES", "READ_EA", "READ_CONTROL"}


async def test_of_a_running_program_too(tmp_path, mock_clock):
    with running(tmp_path / "program"):
        async with story(tmp_path) as me:
            answer = await me.create("program", access=MAXIMUM, disposition=OPEN)
            assert answer.status == 0
            assert (await me.ask(READ, messages.read(answer.file_id))).status == 0
            status, data = await me.query(answer.file_id, FileClass.ACCESS)
            assert status == 0
            assert not unpack("<I", data)[0] & Access.FILE_WRITE_DATA


async def test_a_folder_to_drop_into_takes_files_whose_descriptor_nobody_may_read(
    tmp_path, mock_clock
):
    share = tmp_path / "share"
    (share / "drop").mkdir(parents=True)
    owned(share / "drop", ROOT, 0o733)
    async with story(share) as me:
        with another_user():
            assert (await me.create("drop\\file")).status == 0


async def test_times_of_anothers_file_hold_until_it_is_written(tmp_path, mock_clock):
    share = tmp_path / "share"
    share.mkdir()
    (share / "file").write_bytes(b"abc")
    os.utime(share / "file", (1, 1))
    owned(share / "file", ROOT, 0o666)
    async with story(share) as me:
        with another_user():
            file = await me.open("file", disposition=OPEN, access=0x182)  # write and attributes
            assert await me.set(file, FileClass.BASIC, basic(0, TIME)) == 0
            await me.close(file)
            file = await me.open("file", disposition=OPEN, access=0x182)
            assert await me.set(file, FileClass.BASIC, basic(FileAttribute.HIDDEN)) == 0
            (_, data) = await me.query(file, FileClass.BASIC)
            assert unpack("<QQQ", data[:24]) == (TIME, TIME, TIME)
        (share / "file").write_bytes(b"by another")
        with another_user():
            (_, data) = await me.query(file, FileClass.BASIC)
            creation, _, write = unpack("<QQQ", data[:24])
            assert (creation, write > TIME) == (TIME, True)
            await me.close(file)


async def test_readonly_is_taken_from_a_file_that_only_others_may_write(tmp_path, mock_clock):
    share = tmp_path / "share"
    share.mkdir()
    (share / "file").write_bytes(b"abc")
    owned(share / "file", ROOT, 0o466)
    async with story(share) as me:
        with another_user():
            assert await me.status_of_open("file", Access.FILE_WRITE_DATA) != 0
            file = await me.open("file", disposition=OPEN, access=Access.FILE_WRITE_ATTRIBUTES)
            assert await me.set(file, FileClass.BASIC, basic(FileAttribute.NORMAL)) == 0
            await me.close(file)
            worked = await check_granted(me, "file", OF_FILES)
    assert worked == set(OF_FILES) - {"DELETE"}
    assert (share / "file").stat().st_mode & 0o777 == 0o466


@pytest.mark.parametrize("attributes", [2, 4, 6, 7, 1])
@pytest.mark.parametrize("options", [0, DIRECTORY])
async def test_where_no_attributes_are_kept_a_file_is_made_without_them(
    tmp_path, mock_clock, monkeypatch, attributes, options
):
    def unsupported(*args, **kwargs):
        raise OSError(95, "Operation not supported")

    for call in ("setxattr", "getxattr", "listxattr", "removexattr"):
        monkeypatch.setattr(f"smbd.vfs.attributes.os.{call}", unsupported)
    async with story(tmp_path) as me:
        answer = await me.create("new", attributes=attributes, options=options, disposition=2)
        assert answer.status == 0
        _, data = await me.query(answer.file_id, FileClass.BASIC)
        kept = unpack("<I", data[32:36])[0]
        assert not kept & (FileAttribute.HIDDEN | FileAttribute.SYSTEM)
        assert bool(kept & FileAttribute.READONLY) == bool(attributes & 1 and not options)
        # SET_INFO says so: nothing else is asked for that could be had.
        status = await me.set(answer.file_id, FileClass.BASIC, basic(FileAttribute.HIDDEN))
        assert status == NtStatus.NOT_SUPPORTED
        await me.close(answer.file_id)
