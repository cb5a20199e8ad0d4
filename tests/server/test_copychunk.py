"""Copies that the server makes by itself ([MS-SMB2] 3.3.5.15.5, 3.3.5.15.6)."""

import os

import pytest
from smbprotocol.open import SMB2LockElement

from smbd.config import ShareConfig
from smbd.ntstatus import NtStatus
from smbd.testing import serve_in_thread
from smbd.wire.access import Access
from smbd.wire.fsctl import Fsctl
from smbd.wire.lock import LockFlags
from tests.server.clients import PypiClient, refusal
from tests.server.clients.controls import control, copied, copy, resume_key

MIB = 1 << 20
LIMITS = (NtStatus.INVALID_PARAMETER, (256, MIB, 16 * MIB))
READ, WRITE = Access.FILE_READ_DATA, Access.FILE_WRITE_DATA


@pytest.fixture
def data(folder):
    """What is in the file "source"."""
    (folder / "source").write_bytes(data := os.urandom(3 * MIB + 77))
    return data


@pytest.fixture
def source(data, pypi):
    return pypi.open("source")


@pytest.fixture
def target(pypi):
    return pypi.open("target")


def lock(opened, offset, length, flags):
    element = SMB2LockElement()
    element["offset"], element["length"], element["flags"] = offset, length, flags
    opened.lock([element])


def test_smbprotocol_copies_a_file(folder, pypi, data):
    pypi.call("copyfile", "source", pypi.path("target"))
    assert (folder / "target").read_bytes() == data


def test_samba_copies_a_file(folder, samba, data):
    samba.run("scopy source target")
    assert (folder / "target").read_bytes() == data


def test_chunks_go_where_they_are_sent(folder, data, source, target):
    chunks = (5, 10, 100), (MIB, 200, MIB), (0, 2 * MIB, 1)
    assert copy(source, target, *chunks) == copied(3, 0, 100 + MIB + 1)
    written = (folder / "target").read_bytes()
    assert written[10:110] == data[5:105]
    assert written[200 : 200 + MIB] == data[MIB : 2 * MIB]
    assert written[2 * MIB :] == data[:1]


def test_a_file_is_copied_within_itself(folder, data, source):
    assert copy(source, source, (0, 3 * MIB, 1000)) == copied(1, 0, 1000)
    assert (folder / "source").read_bytes()[3 * MIB :] == data[:1000]


def test_ranges_that_overlap_come_out_as_they_were(folder, data, source):
    assert copy(source, source, (0, 1000, 100_000)) == copied(1, 0, 100_000)
    assert (folder / "source").read_bytes()[1000:101_000] == data[:100_000]


def test_from_one_share_to_another(folder, tmp_path, data):
    (there := tmp_path / "there").mkdir()
    with (
        serve_in_thread(folder, shares=[ShareConfig(name="there", path=there)]) as server,
        PypiClient(server) as client,
    ):
        source = client.open("source")
        client.tree = client.connect_tree("there")
        assert copy(source, client.open("target"), (0, 0, MIB)) == copied(1, 0, MIB)
    assert (there / "target").read_bytes() == data[:MIB]


def test_nothing_to_copy_is_soon_done(source, target):
    assert copy(source, target) == copied(0, 0, 0)


# --- what is refused ---


@pytest.mark.parametrize(
    "chunks",
    [
        [(0, 0, 0)],
        [(0, 0, MIB + 1)],
        [(0, 0, 1)] * 257,
        [(0, 0, MIB)] * 17,
    ],
    ids=["nothing", "too large", "too many", "too much"],
)
def test_a_request_beyond_a_limit_is_told_the_limits(folder, source, target, chunks):
    assert copy(source, target, *chunks) == LIMITS
    assert (folder / "target").read_bytes() == b""


@pytest.mark.parametrize(
    "chunk",
    [(0, 1 << 63, 50), (0, (1 << 64) - 1, 50), (1 << 63, 0, 50), (0, (1 << 63) - 50, 50)],
)
def test_no_chunk_is_beyond_what_a_file_can_have(folder, source, target, chunk):
    assert copy(source, target, (0, 0, 1), chunk) == (NtStatus.INVALID_PARAMETER, None)
    assert (folder / "target").read_bytes() == b""


def test_the_limits_themselves_are_within_them(folder, data, source, target):
    assert copy(source, target, *[(0, 0, MIB)] * 16) == copied(16, 0, 16 * MIB)
    assert copy(source, target, *[(0, 0, 1)] * 256) == copied(256, 0, 256)


def test_the_ends_of_the_source(folder, data, source, target):
    """All of a chunk or nothing; those before it are written."""
    size = len(data)
    assert copy(source, target, (size - 10, 0, 10), (size - 10, 10, 11)) == (
        NtStatus.INVALID_VIEW_SIZE,
        (1, 0, 10),
    )
    assert (folder / "target").read_bytes() == data[-10:]


def test_a_key_is_good_for_its_own_session_while_the_file_is_open(source, target, other):
    key = resume_key(source)
    elsewhere = other.open("target")
    missing = NtStatus.OBJECT_NAME_NOT_FOUND, None
    assert copy(None, elsewhere, (0, 0, 1), key=key) == missing
    assert copy(None, target, (0, 0, 1), key=bytes(24)) == missing
    assert copy(None, target, (0, 0, 1), key=b"\xff" * 24) == missing
    assert copy(None, target, (0, 0, 1), key=key) == copied(1, 0, 1)
    source.close()
    assert copy(None, target, (0, 0, 1), key=key) == missing


@pytest.mark.parametrize(
    ("from_", "to", "code", "status"),
    [
        (READ, WRITE, Fsctl.SRV_COPYCHUNK_WRITE, NtStatus.SUCCESS),
        (READ, WRITE, Fsctl.SRV_COPYCHUNK, NtStatus.ACCESS_DENIED),
        (READ, READ | WRITE, Fsctl.SRV_COPYCHUNK, NtStatus.SUCCESS),
        (READ, READ, Fsctl.SRV_COPYCHUNK_WRITE, NtStatus.ACCESS_DENIED),
        (WRITE, WRITE, Fsctl.SRV_COPYCHUNK_WRITE, NtStatus.ACCESS_DENIED),
    ],
)
def test_the_rights_of_both_handles_count(folder, data, pypi, from_, to, code, status):
    (folder / "target").write_bytes(b"")
    source, target = pypi.open("source", access=from_), pypi.open("target", access=to)
    assert copy(source, target, (0, 0, 1), code=code)[0] == status


def test_locks_of_others_are_honoured_on_both_sides(folder, data, source, target, other):
    exclusive = LockFlags.EXCLUSIVE | LockFlags.FAIL_IMMEDIATELY
    lock(other.open("source"), 100, 10, exclusive)
    lock(other.open("target"), 300, 10, exclusive)
    conflict = NtStatus.FILE_LOCK_CONFLICT
    assert copy(source, target, (0, 0, 100), (100, 100, 1)) == (conflict, (1, 0, 100))
    assert copy(source, target, (110, 290, 11)) == (conflict, (0, 0, 0))
    assert copy(source, target, (110, 310, 10)) == copied(1, 0, 10)


def test_a_folder_holds_no_bytes(pypi, source):
    folder = pypi.open("inner", options=1)
    assert copy(source, folder, (0, 0, 1))[0] == NtStatus.INVALID_DEVICE_REQUEST
    assert copy(folder, source, (0, 0, 1))[0] == NtStatus.INVALID_DEVICE_REQUEST


def test_answers_need_their_room(source, target):
    too_small = refusal(control, source, Fsctl.SRV_REQUEST_RESUME_KEY, room=31)
    assert too_small == NtStatus.INVALID_PARAMETER
    asked = resume_key(source) + bytes(8)
    assert refusal(control, target, Fsctl.SRV_COPYCHUNK, asked, 11) == NtStatus.INVALID_PARAMETER
    assert refusal(control, target, Fsctl.SRV_COPYCHUNK, asked[:31]) == NtStatus.INVALID_PARAMETER
