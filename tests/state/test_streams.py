"""Named streams beside their file: share modes of their own, and deletions that they share."""

import pytest

from smbd.ntstatus import NtError, NtStatus
from smbd.state import FileTable, OpenTable, Operation, Tables, WantedCaching
from smbd.wire.access import Access
from tests.state.holders import ALL_SHARED, READ, WRITE, PaperFile, PaperHolder, an_open

BUT_DELETE = 3
FILE = PaperFile()


def stream(name="one", file=FILE):
    return PaperFile(stream=name, of=file)


def status(table, file, access=READ, sharing=ALL_SHARED, operation=Operation.OPEN):
    try:
        table.meet(an_open(file, sharing=sharing), access, operation, None, 0.0)
    except NtError as error:
        return error.status
    return 0


def added(table, file, **how):
    open_ = an_open(file, **how)
    table.add(open_)
    return open_


def test_each_stream_has_share_modes_and_locks_of_its_own():
    table = FileTable()
    one = added(table, stream(), access=WRITE, sharing=0)
    assert status(table, stream()) == NtStatus.SHARING_VIOLATION
    assert status(table, stream("two")) == status(table, FILE, WRITE, 0) == 0
    other, file = added(table, stream("two")), added(table, FILE)
    assert len({id(held.locks) for held in (one, other, file)}) == 3


def test_a_file_is_opened_for_deletion_as_its_streams_allow():
    table = FileTable()
    held = added(table, stream(), sharing=BUT_DELETE)
    assert status(table, FILE, Access.DELETE) == NtStatus.SHARING_VIOLATION
    assert status(table, FILE, READ) == 0
    table.remove(held)
    added(table, stream(), sharing=ALL_SHARED)
    assert status(table, FILE, Access.DELETE) == 0


def test_a_file_that_waits_for_deletion_says_so_whatever_its_streams_share():
    table = FileTable()
    added(table, stream(), sharing=BUT_DELETE)
    added(table, FILE).link.set_delete_pending()
    for operation in (Operation.OPEN, Operation.OVERWRITE):
        assert status(table, FILE, Access.DELETE, operation=operation) == NtStatus.DELETE_PENDING


def test_an_open_for_attributes_alone_keeps_no_file_from_deletion():
    table = FileTable()
    added(table, stream(), access=Access.FILE_READ_ATTRIBUTES, sharing=0)
    assert status(table, FILE, Access.DELETE) == 0


def test_a_file_that_waits_for_deletion_lets_no_stream_be_opened():
    table = FileTable()
    held, deleter = added(table, stream()), added(table, FILE, delete_on_close=True)
    assert not table.goes_with(deleter)
    assert table.remove(deleter) is None
    for file in (FILE, stream(), stream("two")):
        assert status(table, file) == NtStatus.DELETE_PENDING
    assert table.goes_with(held)
    deleted = table.remove(held)
    assert deleted is not None
    assert not deleted.state.is_stream
    assert status(table, stream()) == NtStatus.DELETE_PENDING, "a worker unlinks"
    table.forget(deleted)
    assert table.of(FILE) is None
    assert table.of(stream()) is None


def test_a_deleted_stream_leaves_its_file():
    table = FileTable()
    file, held = added(table, FILE), added(table, stream(), delete_on_close=True)
    assert table.goes_with(held)
    deleted = table.remove(held)
    assert deleted is not None
    assert deleted.state.is_stream
    assert status(table, stream()) == NtStatus.DELETE_PENDING
    assert status(table, FILE) == status(table, stream("two")) == 0
    table.forget(deleted)
    assert table.remove(file) is None


def test_a_stream_that_is_deleted_goes_with_its_file():
    table = FileTable()
    held = added(table, stream(), delete_on_close=True)
    table.remove(added(table, FILE, delete_on_close=True))
    deleted = table.remove(held)
    assert deleted is not None
    assert not deleted.state.is_stream
    assert table.of(stream()) is None
    table.forget(deleted)


def test_a_file_is_in_use_by_its_streams():
    table = FileTable()
    held = added(table, stream())
    assert table.has_open_streams(FILE)
    assert table.has_open_below(PaperFile(inode=9, path="", is_directory=True)) is False
    assert status(table, FILE, operation=Operation.OVERWRITE) == NtStatus.SHARING_VIOLATION
    table.remove(held)
    assert not table.has_open_streams(FILE)
    assert table.of(FILE) is None


def test_a_renamed_stream_is_found_by_its_new_name():
    table = FileTable()
    held = added(table, stream(), sharing=0)
    held.file.stream = "two"
    table.renamed_stream(held)
    assert status(table, stream("two")) == NtStatus.SHARING_VIOLATION
    assert status(table, stream("one")) == 0
    assert table.is_open(FILE, "two") is False, "names are compared in upper case"
    table.remove(held)
    assert table.of(stream("two")) is None


def test_an_open_stream_counts_for_the_descriptors_that_it_takes():
    tables = Tables(OpenTable(limit=6))
    holder = PaperHolder()
    tables.enter(an_open(stream(), number=1), holder, WantedCaching(), 0)
    tables.enter(an_open(stream("two"), number=2), holder, WantedCaching(), 0)
    with pytest.raises(NtError) as refusal:
        tables.enter(an_open(FILE, number=3), holder, WantedCaching(), 0)
    assert refusal.value.status == NtStatus.INSUFFICIENT_RESOURCES
