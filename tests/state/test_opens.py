"""Opens: found by their FileId, and closed when nobody uses them any more."""

import pytest

from smbd.ntstatus import NtError, NtStatus
from smbd.state import OpenTable
from smbd.wire.access import Access
from tests.state.holders import an_open


def status_of(table, *identity):
    try:
        table.get(*identity)
    except NtError as error:
        return error.status
    return 0


def test_an_open_is_found_by_the_session_and_tree_that_made_it_alone():
    table = OpenTable(limit=10)
    table.add(an_open(number=5))
    assert table.get(5, 5, 7, 1).volatile_id == 5
    for identity in ((5, 5, 8, 1), (5, 5, 7, 2), (6, 5, 7, 1), (5, 6, 7, 1)):
        assert status_of(table, *identity) == NtStatus.FILE_CLOSED


def test_a_file_id_is_never_given_twice():
    table = OpenTable(limit=3)
    seen = set()
    for _ in range(10):
        number = table.next_id()
        table.add(one := an_open(number=number))
        table.remove(one)
        assert status_of(table, number, number, 7, 1) == NtStatus.FILE_CLOSED
        seen.add(number)
    assert len(seen) == 10


def test_a_full_table_takes_no_more_until_something_closes():
    table = OpenTable(limit=2)
    opens = [an_open(number=table.next_id()) for _ in range(2)]
    for one in opens:
        table.check(())
        table.add(one)
    with pytest.raises(NtError) as caught:
        table.check(())
    assert caught.value.status == NtStatus.INSUFFICIENT_RESOURCES
    table.remove(opens[0])
    table.check(())
    assert len(table) == 1
    assert list(table) == opens[1:]


def test_the_last_operation_of_a_closed_open_hears_that_it_is_the_last():
    one = an_open()
    one.hold()
    one.hold()
    assert not one.leave()
    assert not one.leave(), "not closed by the client"
    one.hold()
    one.hold()
    one.closed = True
    assert not one.leave()
    assert one.leave()


def test_all_of_the_rights_or_any_of_them():
    one = an_open(access=Access.FILE_READ_DATA | Access.FILE_EXECUTE)
    one.require(Access.FILE_READ_DATA)
    one.require(0)
    one.require_any(Access.FILE_READ_DATA | Access.DELETE)
    for demand in (
        lambda: one.require(Access.FILE_READ_DATA | Access.DELETE),
        lambda: one.require_any(Access.DELETE | Access.FILE_WRITE_DATA),
    ):
        with pytest.raises(NtError) as caught:
            demand()
        assert caught.value.status == NtStatus.ACCESS_DENIED
