"""FSCTLs on an open file: holes, compression, snapshots, object ids ([MS-FSCC] 2.3)."""

from struct import iter_unpack, pack

import pytest
from smbprotocol.open import SMB2LockElement

from smbd.ntstatus import NtStatus
from smbd.testing import serve_in_thread
from smbd.wire.access import Access
from smbd.wire.fscc import FileAttribute
from smbd.wire.fsctl import Fsctl
from smbd.wire.lock import LockFlags
from tests.server.clients import PypiClient, refusal
from tests.server.clients.controls import control, outcome
from tests.server.clients.information import basic, standard

KIB = 1024
SPARSE = FileAttribute.SPARSE_FILE


@pytest.fixture
def file(disk):
    """A file of 256 KiB on a disk that knows holes."""
    (disk / "file").write_bytes(b"x" * 256 * KIB)
    with serve_in_thread(disk) as server, PypiClient(server) as client:
        yield client.open("file")


def make_sparse(opened, *, sparse=True):
    control(opened, Fsctl.SET_SPARSE, bytes([sparse]))


def zero(opened, start, beyond):
    control(opened, Fsctl.SET_ZERO_DATA, pack("<qq", start, beyond))


def ranges(opened, start=0, length=1 << 40, room=4096):
    """(status, [(offset, length)]) of what is allocated."""
    asked = pack("<qq", start, length)
    status, output = outcome(opened, Fsctl.QUERY_ALLOCATED_RANGES, asked, room)
    return status, list(iter_unpack("<qq", output))


def test_a_hole_is_punched(disk, file):
    make_sparse(file)
    assert basic(file)["file_attributes"].get_value() & SPARSE
    blocks = (disk / "file").stat().st_blocks
    zero(file, 64 * KIB, 128 * KIB)
    assert (disk / "file").stat().st_blocks == blocks - 128
    assert ranges(file) == (0, [(0, 64 * KIB), (128 * KIB, 128 * KIB)])
    assert ranges(file, 32 * KIB, 64 * KIB) == (0, [(32 * KIB, 32 * KIB)])
    written = (disk / "file").read_bytes()
    assert written == b"x" * 64 * KIB + bytes(64 * KIB) + b"x" * 128 * KIB


def test_a_file_that_is_not_sparse_keeps_its_storage(disk, file):
    blocks = (disk / "file").stat().st_blocks
    zero(file, 64 * KIB, 128 * KIB)
    assert (disk / "file").stat().st_blocks == blocks
    assert ranges(file) == (0, [(0, 256 * KIB)])
    assert (disk / "file").read_bytes()[64 * KIB : 128 * KIB] == bytes(64 * KIB)


def test_zeros_never_move_the_end(disk, file):
    zero(file, 255 * KIB, 1 << 40)
    assert standard(file)["end_of_file"].get_value() == 256 * KIB
    assert (disk / "file").read_bytes()[-KIB:] == bytes(KIB)


def test_sparse_can_be_taken_back(file):
    make_sparse(file)
    make_sparse(file, sparse=False)
    assert not basic(file)["file_attributes"].get_value() & SPARSE


def test_no_input_means_make_it_sparse(file):
    control(file, Fsctl.SET_SPARSE)
    assert basic(file)["file_attributes"].get_value() & SPARSE


def test_more_ranges_than_the_answer_holds(file):
    make_sparse(file)
    for start in (32, 96, 160):
        zero(file, start * KIB, (start + 32) * KIB)
    every = [(start * KIB, (64 if start == 192 else 32) * KIB) for start in (0, 64, 128, 192)]
    assert ranges(file) == (0, every)
    assert ranges(file, room=64) == (0, every)
    assert ranges(file, room=63) == (NtStatus.BUFFER_OVERFLOW, every[:3])
    assert ranges(file, room=15) == (NtStatus.BUFFER_TOO_SMALL, [])
    assert ranges(file, 256 * KIB, room=0) == (0, [])


def test_a_very_long_list_comes_in_pieces(disk, file):
    make_sparse(file)
    with (disk / "file").open("r+b") as local:
        local.truncate(0)
        for number in range(1500):
            local.seek(number * 8 * KIB)
            local.write(b"x")
            local.flush()
    found, start, status = [], 0, NtStatus.BUFFER_OVERFLOW
    while status == NtStatus.BUFFER_OVERFLOW:
        status, more = ranges(file, start, room=60_000)
        found += more
        start = sum(more[-1])
    assert [offset for offset, _ in found] == [number * 8 * KIB for number in range(1500)]


@pytest.mark.parametrize(
    ("code", "data"),
    [
        (Fsctl.SET_ZERO_DATA, pack("<qq", -1, 1)),
        (Fsctl.SET_ZERO_DATA, pack("<qq", 2, 1)),
        (Fsctl.SET_ZERO_DATA, bytes(15)),
        (Fsctl.QUERY_ALLOCATED_RANGES, pack("<qq", -1, 1)),
        (Fsctl.QUERY_ALLOCATED_RANGES, pack("<qq", 0, -1)),
        (Fsctl.QUERY_ALLOCATED_RANGES, pack("<qq", 1, (1 << 63) - 1)),
        (Fsctl.QUERY_ALLOCATED_RANGES, b""),
    ],
)
def test_ranges_that_make_no_sense(pypi, code, data):
    assert refusal(control, pypi.open("file"), code, data) == NtStatus.INVALID_PARAMETER


@pytest.mark.parametrize(
    ("code", "data", "access", "status"),
    [
        (Fsctl.SET_SPARSE, b"", Access.FILE_READ_DATA, NtStatus.ACCESS_DENIED),
        (Fsctl.SET_SPARSE, b"", Access.FILE_WRITE_ATTRIBUTES, NtStatus.SUCCESS),
        (Fsctl.SET_ZERO_DATA, bytes(16), Access.FILE_READ_DATA, NtStatus.ACCESS_DENIED),
        (Fsctl.SET_ZERO_DATA, bytes(16), Access.FILE_WRITE_DATA, NtStatus.SUCCESS),
        (Fsctl.QUERY_ALLOCATED_RANGES, bytes(16), Access.FILE_WRITE_DATA, NtStatus.ACCESS_DENIED),
        (Fsctl.QUERY_ALLOCATED_RANGES, bytes(16), Access.FILE_READ_DATA, NtStatus.SUCCESS),
    ],
)
def test_the_handle_needs_the_right(folder, pypi, code, data, access, status):
    (folder / "file").write_bytes(b"")
    assert refusal(control, pypi.open("file", access=access), code, data) == status


@pytest.mark.parametrize(
    "code", [Fsctl.SET_SPARSE, Fsctl.SET_ZERO_DATA, Fsctl.QUERY_ALLOCATED_RANGES]
)
def test_a_folder_has_no_holes(pypi, code):
    opened = pypi.open("inner", options=1)
    assert refusal(control, opened, code, bytes(16)) == NtStatus.INVALID_PARAMETER


def test_zeros_honour_the_locks_of_others(pypi, other):
    opened = pypi.open("file")
    opened.write(b"x" * 100)
    element = SMB2LockElement()
    element["offset"], element["length"] = 50, 10
    element["flags"] = LockFlags.SHARED | LockFlags.FAIL_IMMEDIATELY
    other.open("file").lock([element])
    assert refusal(zero, opened, 0, 51) == NtStatus.FILE_LOCK_CONFLICT
    zero(opened, 0, 50)
    assert opened.read(0, 100) == bytes(50) + b"x" * 50


def test_nothing_is_compressed_and_nothing_will_be(pypi):
    opened = pypi.open("file")
    assert control(opened, Fsctl.GET_COMPRESSION, room=2) == bytes(2)
    control(opened, Fsctl.SET_COMPRESSION, bytes(2))
    lznt1 = pack("<H", 2)
    assert refusal(control, opened, Fsctl.SET_COMPRESSION, lznt1) == NtStatus.NOT_SUPPORTED


def test_there_are_no_snapshots(pypi):
    opened = pypi.open("file")
    # None, none returned, and the length of an empty list: its two closing zeros.
    assert control(opened, Fsctl.SRV_ENUMERATE_SNAPSHOTS, room=16) == pack("<IIII", 0, 0, 2, 0)
    too_small = refusal(control, opened, Fsctl.SRV_ENUMERATE_SNAPSHOTS, room=15)
    assert too_small == NtStatus.INVALID_PARAMETER


def test_a_file_keeps_its_object_id_and_has_it_alone(pypi):
    one, two = pypi.open("one"), pypi.open("two")
    first, second = (control(each, Fsctl.CREATE_OR_GET_OBJECT_ID) for each in (one, two))
    assert len(first) == 64
    assert first[:16] != second[:16]
    assert first[16:32] == second[16:32], "the volume's"
    assert control(pypi.open("one"), Fsctl.CREATE_OR_GET_OBJECT_ID) == first
    too_small = refusal(control, one, Fsctl.CREATE_OR_GET_OBJECT_ID, room=63)
    assert too_small == NtStatus.INVALID_PARAMETER
