"""Share modes: [MS-FSA] 2.1.5.1.2.2, its table and what follows from it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smbd.ntstatus import NtError, NtStatus
from smbd.state import FileTable
from smbd.state.sharing import ShareModes
from smbd.wire.access import Access
from smbd.wire.create import ShareAccess
from tests.state.holders import ALL_SHARED, PaperFile, an_open

# Every right that takes part, and what must be shared for it.
NEEDS = {
    Access.FILE_READ_DATA: ShareAccess.READ,
    Access.FILE_EXECUTE: ShareAccess.READ,
    Access.FILE_WRITE_DATA: ShareAccess.WRITE,
    Access.FILE_APPEND_DATA: ShareAccess.WRITE,
    Access.DELETE: ShareAccess.DELETE,
}
# Rights to what is not data: an open with only these disturbs nobody, and nobody disturbs it.
OUTSIDE = (
    Access.FILE_READ_ATTRIBUTES,
    Access.FILE_WRITE_ATTRIBUTES,
    Access.FILE_READ_EA,
    Access.FILE_WRITE_EA,
    Access.READ_CONTROL,
    Access.WRITE_DAC,
    Access.WRITE_OWNER,
    Access.SYNCHRONIZE,
)


def share_modes_conflict(access, sharing, held, held_sharing):
    modes = ShareModes()
    modes.count(held, held_sharing)
    return modes.forbid(access, sharing)


@pytest.mark.parametrize("right", NEEDS)
@pytest.mark.parametrize("sharing", range(8))
def test_a_right_needs_its_own_bit_of_the_others_sharing(right, sharing):
    refused = not sharing & NEEDS[right]
    anything = Access.FILE_READ_DATA
    assert share_modes_conflict(right, ALL_SHARED, anything, sharing) is refused
    # And the other way round: an open that is there already must be let be by the one that comes.
    assert share_modes_conflict(anything, sharing, right, ALL_SHARED) is refused


@pytest.mark.parametrize("right", OUTSIDE)
@pytest.mark.parametrize("other", [*NEEDS, *OUTSIDE])
def test_attributes_and_security_take_part_in_no_share_mode(right, other):
    assert not share_modes_conflict(right, 0, other, 0)
    assert not share_modes_conflict(other, 0, right, 0)


def conflict_by_the_book(access, sharing, held, held_sharing):
    """The specification's six conditions, one by one."""
    data = sum(NEEDS)
    if not access & data or not held & data:
        return False
    reads = Access.FILE_READ_DATA | Access.FILE_EXECUTE
    writes = Access.FILE_WRITE_DATA | Access.FILE_APPEND_DATA
    return bool(
        (not held_sharing & ShareAccess.READ and access & reads)
        or (not held_sharing & ShareAccess.WRITE and access & writes)
        or (not held_sharing & ShareAccess.DELETE and access & Access.DELETE)
        or (not sharing & ShareAccess.READ and held & reads)
        or (not sharing & ShareAccess.WRITE and held & writes)
        or (not sharing & ShareAccess.DELETE and held & Access.DELETE)
    )


accesses = st.sets(st.sampled_from([*NEEDS, *OUTSIDE])).map(sum)
sharings = st.integers(0, 7)


@given(accesses, sharings, accesses, sharings)
def test_any_two_opens_agree_as_the_specification_says(access, sharing, held, held_sharing):
    expected = conflict_by_the_book(access, sharing, held, held_sharing)
    assert share_modes_conflict(access, sharing, held, held_sharing) is expected
    # It does not matter who came first.
    assert share_modes_conflict(held, held_sharing, access, sharing) is expected


def test_an_open_must_agree_with_every_one_that_is_held():
    table, file = FileTable(), PaperFile()
    table.add(an_open(file, number=1))
    table.add(an_open(file, number=2, sharing=ShareAccess.READ))
    table.check(file, Access.FILE_READ_DATA, ALL_SHARED)
    with pytest.raises(NtError) as caught:
        table.check(file, Access.FILE_WRITE_DATA, ALL_SHARED)
    assert caught.value.status == NtStatus.SHARING_VIOLATION


def test_another_file_is_another_matter():
    table = FileTable()
    table.add(an_open(PaperFile(inode=1), sharing=0))
    table.check(PaperFile(inode=2), Access.DELETE, 0)
    table.check(PaperFile(inode=1, device=2), Access.DELETE, 0)


def test_another_name_of_the_same_file_is_the_same_file():
    table = FileTable()
    table.add(an_open(PaperFile(path="a"), sharing=0))
    with pytest.raises(NtError):
        table.check(PaperFile(path="B"), Access.FILE_READ_DATA, ALL_SHARED)


def test_what_is_closed_hinders_nobody():
    table, file = FileTable(), PaperFile()
    held = an_open(file, sharing=0)
    table.add(held)
    assert table.remove(held) is None
    table.check(file, Access.FILE_WRITE_DATA, 0)
    assert table.of(file) is None


@given(st.lists(st.tuples(accesses, sharings), max_size=6), accesses, sharings)
def test_many_opens_counted_say_what_they_say_one_by_one(held, access, sharing):
    modes = ShareModes()
    for one in held:
        modes.count(*one)
    expected = any(conflict_by_the_book(access, sharing, *one) for one in held)
    assert modes.forbid(access, sharing) is expected
    for one in held:
        modes.count(*one, -1)
    assert not modes.forbid(access, sharing)
