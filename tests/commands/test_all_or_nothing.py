"""What can fail comes before what destroys: a refused request has changed nothing."""

import errno
import os
from struct import pack, unpack_from

import pytest

from smbd import vfs
from smbd.ntstatus import NtStatus
from smbd.vfs import undo
from smbd.wire.fscc import FileAttribute
from tests.commands.story import OPEN, client
from tests.core import messages
from tests.core.messages import IOCTL

SUPERSEDE, OVERWRITE, OVERWRITE_IF = 0, 4, 5
BASIC, FULL_EA = 4, 15
REQUEST_RESUME_KEY, COPYCHUNK = 0x00140078, 0x001440F2


def eas(*pairs):
    """FILE_FULL_EA_INFORMATION of (name, value)s."""
    out = b""
    for at, (name, value) in enumerate(pairs):
        one = pack("<BBH", 0, len(name), len(value)) + name + b"\0" + value
        one += bytes(-(len(one) + 4) % 4)
        out += pack("<I", len(one) + 4 if at < len(pairs) - 1 else 0) + one
    return out


def xattrs(path):
    return {name: os.getxattr(path, name) for name in os.listxattr(path)}


@pytest.fixture
def file(tmp_path):
    """One with content, an EA and a record of attributes; and a file system that can keep them."""
    path = tmp_path / "f"
    path.write_bytes(b"the only copy")
    try:
        os.setxattr(path, "user.kept", b"before")
    except OSError:
        pytest.skip("this file system has no extended attributes")
    return path


REFUSED = {
    "more than there is": [(b"AlSi", pack("<Q", 1 << 50))],
    "an EA of servers": [(b"ExtA", eas((b"kept", b"after"), (b"DOSATTRIB", b"x")))],
    "no room for the second EA": [(b"ExtA", eas((b"kept", b"after"), (b"x" * 251, b"x")))],
    "an EA, then more than there is": [
        (b"ExtA", eas((b"kept", b"after"), (b"new", b"x"))),
        (b"AlSi", pack("<Q", 1 << 50)),
    ],
}


@pytest.mark.parametrize("disposition", [SUPERSEDE, OVERWRITE, OVERWRITE_IF])
@pytest.mark.parametrize("contexts", REFUSED.values(), ids=REFUSED)
async def test_an_overwriting_create_that_is_refused_leaves_the_file_as_it_was(
    file, mock_clock, disposition, contexts
):
    before, status = xattrs(file), file.stat()
    async with client(file.parent) as me:
        answer = await me.create(
            "f", disposition=disposition, contexts=contexts, attributes=FileAttribute.HIDDEN
        )
        assert answer.status != 0
        assert answer.status != NtStatus.INTERNAL_ERROR
    assert file.read_bytes() == b"the only copy"
    assert xattrs(file) == before
    assert (file.stat().st_mode, file.stat().st_mtime_ns) == (status.st_mode, status.st_mtime_ns)
    assert file.stat().st_blocks == status.st_blocks


async def test_an_overwriting_create_whose_truncation_fails_puts_all_back(
    file, mock_clock, monkeypatch
):
    before = xattrs(file)

    def fail(file, allocation):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(vfs, "overwrite", fail)
    contexts = [(b"ExtA", eas((b"KEPT", b"after"), (b"new", b"x")))]
    async with client(file.parent) as me:
        answer = await me.create(
            "f", disposition=OVERWRITE, contexts=contexts, attributes=FileAttribute.HIDDEN
        )
        assert answer.status == NtStatus.UNEXPECTED_IO_ERROR
    assert xattrs(file) == before


async def test_an_overwriting_create_that_succeeds_has_done_all_of_it(file, mock_clock):
    contexts = [(b"ExtA", eas((b"KEPT", b"after"))), (b"AlSi", pack("<Q", 1 << 20))]
    async with client(file.parent) as me:
        await me.open("f", disposition=OVERWRITE, contexts=contexts)
    assert file.read_bytes() == b""
    assert os.getxattr(file, "user.kept") == b"after"
    assert file.stat().st_blocks * 512 >= 1 << 20


async def test_of_several_eas_all_are_set_or_none(file, mock_clock):
    before = xattrs(file)
    async with client(file.parent) as me:
        opened = await me.open("f", disposition=OPEN)
        for last in ((b"DOSATTRIB", b"x"), (b"x" * 251, b"x"), (b"large", bytes(65535))):
            both = eas((b"kept", b""), (b"first", b"x"), last)
            status = await me.set(opened, FULL_EA, both)
            if last[0] == b"large" and status == 0:
                continue  # a file system with room for it
            assert status != 0
            assert xattrs(file) == before


async def test_eas_that_took_each_others_room_are_put_back(file, mock_clock):
    os.setxattr(file, "user.long", bytes(2500))
    os.setxattr(file, "user.short", b"x")
    before = xattrs(file)
    exchanged = [(b"long", b"x"), (b"short", bytes(2500)), (b"beyond", bytes(4000))]
    async with client(file.parent) as me:
        opened = await me.open("f", disposition=OPEN)
        for order in (exchanged, [exchanged[0], exchanged[2], exchanged[1]]):
            if await me.set(opened, FULL_EA, eas(*order)) == 0:
                pytest.skip("this file system has room for it")
            assert xattrs(file) == before


async def test_attributes_stay_where_the_times_beside_them_cannot_be_set(
    file, mock_clock, monkeypatch
):
    before, mode = xattrs(file), file.stat().st_mode

    def fail(*_args):
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr("smbd.vfs.attributes.kernel.set_times", fail)
    attributes = FileAttribute.HIDDEN | FileAttribute.READONLY
    times = 116444736000000000 + 10_000_000
    async with client(file.parent) as me:
        opened = await me.open("f", disposition=OPEN)
        basic = pack("<QQQQII", times, times, times, 0, attributes, 0)
        assert await me.set(opened, BASIC, basic) == NtStatus.ACCESS_DENIED
    assert xattrs(file) == before
    assert file.stat().st_mode == mode


def test_times_and_mode_are_put_back_too(file, tmp_path):
    os.utime(file, ns=(10**18, 10**18))
    before = file.stat()
    with vfs.Root(tmp_path) as root, root.open("f", read=True, write=True) as opened:
        with pytest.raises(ValueError, match="too late"), undo.all_or_nothing(opened):
            file.chmod(0o444)
            os.utime(file, ns=(2 * 10**18, 2 * 10**18))
            raise ValueError("too late")
    after = file.stat()
    assert (after.st_mode, after.st_mtime_ns) == (before.st_mode, before.st_mtime_ns)


async def test_a_copy_that_fails_in_the_middle_says_how_far_it_came(
    tmp_path, mock_clock, monkeypatch
):
    (tmp_path / "source").write_bytes(b"x" * 8192)
    copied = []
    original = vfs.copy_range

    def copy_range(*args):
        if len(copied) == 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        copied.append(args)
        return original(*args)

    monkeypatch.setattr(vfs, "copy_range", copy_range)
    async with client(tmp_path) as me:
        source, made = await me.open("source", disposition=OPEN), await me.open("target")
        answer = await me.ask(IOCTL, messages.ioctl(source, REQUEST_RESUME_KEY))
        (at,) = unpack_from("<I", answer.raw, 64 + 32)
        key = answer.raw[at : at + 24]
        chunks = b"".join(pack("<QQI4x", 4096 * n, 4096 * n, 4096) for n in range(2))
        body = messages.ioctl(made, COPYCHUNK, key + pack("<I4x", 2) + chunks)
        answer = await me.ask(IOCTL, body)
        assert answer.status == NtStatus.DISK_FULL
        (at,) = unpack_from("<I", answer.raw, 64 + 32)
        assert unpack_from("<III", answer.raw, at) == (1, 0, 4096)
