"""Opens: found by their FileId, and closed with the last operation that uses them."""

import struct

import pytest

from smbd.ntstatus import NtError, NtStatus
from smbd.state import OpenTable, opens
from smbd.wire.access import Access
from tests.state.holders import an_open


def test_an_open_is_found_by_the_persistent_half_of_its_file_id_until_it_ends():
    table = OpenTable(limit=10)
    table.add(one := an_open(number=5))
    assert table.find(5) is one
    assert table.find(6) is None
    table.remove(one)
    assert table.find(5) is None


def test_neither_half_of_a_file_id_is_given_twice_nor_tells_the_other():
    table = OpenTable(limit=100)
    ids = [(table.new_persistent_id(), table.new_volatile_id()) for _ in range(100)]
    for half in zip(*ids, strict=True):
        assert len(set(half)) == 100
        assert not {0, 2**64 - 1} & set(half)
    assert all(persistent != volatile for persistent, volatile in ids)


def test_a_persistent_id_is_neither_reserved_nor_that_of_an_open(monkeypatch):
    table = OpenTable(limit=10)
    table.add(an_open(number=5))
    drawn = (6, 5, 2**64 - 1, 0)  # the last one is taken first
    monkeypatch.setattr(opens.os, "urandom", lambda _: struct.pack("=64Q", *[7] * 60, *drawn))
    assert table.new_persistent_id() == 6


def test_a_copy_from_an_open_hinders_no_replay():
    one = an_open()
    one.use()  # as FSCTL_SRV_COPYCHUNK of another Open does
    assert one.follow_sequence(1, replay=False)
    assert one.follow_sequence(1, replay=True)


def test_a_full_table_takes_no_more_until_something_closes():
    table = OpenTable(limit=2)
    two = [an_open(number=number) for number in (1, 2)]
    for one in two:
        table.check(())
        table.add(one)
    with pytest.raises(NtError) as caught:
        table.check(())
    assert caught.value.status == NtStatus.INSUFFICIENT_RESOURCES
    table.remove(two[0])
    table.check(())
    assert len(table) == 1
    assert list(table) == two[1:]


def test_the_last_operation_of_a_closed_open_hears_that_it_is_the_last():
    one = an_open()
    one.use()
    one.use()
    assert not one.leave()
    assert not one.leave(), "not closed by the client"
    one.use()
    one.use()
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
