"""Lists of variable length that are packed to a limit or read back, and masks."""

import pytest

from smbd.ntstatus import NtError
from smbd.wire import access, create_contexts, fsctl
from smbd.wire.change_notify import FileAction, pack_notify_information

from .examples.example import GUID
from .hexadecimal import unhex


@pytest.mark.parametrize(
    "lease",
    [
        create_contexts.Lease(1, GUID, 7, 2),
        create_contexts.Lease(2, GUID, 5, 4, bytes(range(16, 32)), 3),
    ],
    ids=["version 1", "version 2"],
)
def test_a_lease_is_read_back(lease: create_contexts.Lease) -> None:
    assert create_contexts.parse_lease(memoryview(create_contexts.pack_lease(lease))) == lease


def test_create_contexts_are_read_back_and_aligned() -> None:
    contexts = [(b"AAPL", b"x" * 13), (create_contexts.ContextName.POSIX, b""), (b"MxAc", b"12")]
    chain = create_contexts.pack_create_contexts(contexts)
    assert create_contexts.parse_create_contexts(memoryview(chain)) == contexts
    assert create_contexts.pack_create_contexts([]) == b""


def test_changes_that_do_not_fit_are_not_told_at_all() -> None:
    changes = [(FileAction.ADDED, "one"), (FileAction.ADDED, "two")]
    whole = pack_notify_information(changes, 100)
    assert whole is not None
    assert pack_notify_information(changes, 38) is not None
    assert pack_notify_information(changes, 37) is None
    assert pack_notify_information([], 0) == b""


def test_snapshots_are_counted_first_and_told_when_there_is_room() -> None:
    token = "@GMT-2026.01.02-03.04.05"
    assert fsctl.pack_snapshots([token], 16) == unhex("""
        01 00 00 00               # NumberOfSnapShots
        00 00 00 00               # NumberOfSnapShotsReturned
        34 00 00 00               # SnapShotArraySize
        00 00 00 00
    """)
    assert fsctl.pack_snapshots([token], 1024) == unhex(f"""
        01 00 00 00               # NumberOfSnapShots
        01 00 00 00               # NumberOfSnapShotsReturned
        34 00 00 00               # SnapShotArraySize
        '{token}'
        00 00 00 00
    """)
    assert fsctl.pack_snapshots([], 16) == unhex("00" * 8 + "02" + "00" * 7)
    with pytest.raises(NtError):
        fsctl.pack_snapshots([], 15)


def test_allocated_ranges_stop_at_the_limit() -> None:
    ranges = [(0, 4096), (65536, 8192)]
    whole, all_fitted = fsctl.pack_allocated_ranges(ranges, 32)
    assert (len(whole), all_fitted) == (32, True)
    assert fsctl.pack_allocated_ranges(ranges, 31) == (whole[:16], False)
    assert fsctl.pack_allocated_ranges(ranges, 0) == (b"", False)
    assert fsctl.pack_allocated_ranges([], 0) == (b"", True)


def test_generic_rights_become_those_of_files() -> None:
    assert access.map_generic(access.Access.GENERIC_ALL) == access.FILE_ALL_ACCESS
    assert (
        access.map_generic(access.Access.GENERIC_READ | access.Access.GENERIC_WRITE)
        == access.FILE_GENERIC_READ | access.FILE_GENERIC_WRITE
    )
    assert access.map_generic(access.Access.DELETE) == access.Access.DELETE
