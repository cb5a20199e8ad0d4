"""Lists of variable length that are packed to a limit or read back, and masks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

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


def read(chain: bytes | bytearray) -> list[tuple[bytes, bytes]]:
    contexts = create_contexts.parse_create_contexts(memoryview(chain))
    return [(name, bytes(data)) for name, data in contexts]


@given(
    st.lists(st.tuples(st.binary(min_size=4, max_size=9), st.binary(max_size=20)), max_size=4),
    st.lists(st.tuples(st.integers(0), st.integers(0, 255)), max_size=6),
)
def test_a_chain_is_read_alike_whether_or_not_one_of_its_layout_came_before(
    contexts: list[tuple[bytes, bytes]], changes: list[tuple[int, int]]
) -> None:
    chain = bytearray(create_contexts.pack_create_contexts(contexts))
    assert read(chain) == contexts
    for at, value in changes if chain else []:
        chain[at % len(chain)] = value

    def result() -> list[tuple[bytes, bytes]] | int:
        try:
            return read(chain)
        except NtError as error:
            return error.status

    found = result()
    create_contexts._layouts.clear()
    assert found == result()


def test_data_that_lies_over_a_name_is_no_layout() -> None:
    chain = bytearray(create_contexts.pack_create_contexts([(b"name", b"data")]))
    chain[10] = 16  # DataOffset
    assert read(chain) == [(b"name", b"name")]
    chain[16:20] = b"MxAc"
    assert read(chain) == [(b"MxAc", b"MxAc")]


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
