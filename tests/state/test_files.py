"""The deletion that waits, and the table of files that are open."""

import pytest

from smbd.ntstatus import NtError, NtStatus
from smbd.state import FileTable
from smbd.wire.access import Access
from tests.state.holders import ALL_SHARED, PaperFile, an_open


def status_of_an_open(table, file):
    try:
        table.check(file, Access.FILE_READ_DATA, ALL_SHARED)
    except NtError as error:
        return error.status
    return 0


def test_delete_on_close_of_the_only_open_takes_the_file_with_it():
    table, file = FileTable(), PaperFile()
    only = an_open(file, delete_on_close=True)
    table.add(only)
    assert table.goes_with(only)
    assert status_of_an_open(table, file) == 0, "until it closes others may come"
    doomed = table.remove(only)
    assert doomed is not None
    assert status_of_an_open(table, file) == NtStatus.DELETE_PENDING
    table.forget(doomed)
    assert status_of_an_open(table, file) == 0
    assert table.of(file) is None


def test_delete_on_close_becomes_the_files_own_while_others_have_it_open():
    table, file = FileTable(), PaperFile()
    deleter, other = an_open(file, number=1, delete_on_close=True), an_open(file, number=2)
    table.add(deleter)
    table.add(other)
    assert not table.goes_with(deleter)
    assert table.remove(deleter) is None
    assert status_of_an_open(table, file) == NtStatus.DELETE_PENDING
    assert table.goes_with(other)
    assert table.remove(other) is not None


def test_when_the_deleter_outlives_the_others_nobody_is_kept_out_before():
    table, file = FileTable(), PaperFile()
    deleter, other = an_open(file, number=1, delete_on_close=True), an_open(file, number=2)
    table.add(deleter)
    table.add(other)
    assert table.remove(other) is None
    assert status_of_an_open(table, file) == 0
    assert table.goes_with(deleter)


def test_a_mark_for_deletion_can_be_taken_off_again():
    table, file = FileTable(), PaperFile()
    only = an_open(file)
    state = table.add(only)
    state.delete_pending = True
    assert status_of_an_open(table, file) == NtStatus.DELETE_PENDING
    assert table.goes_with(only)
    state.delete_pending = False
    assert status_of_an_open(table, file) == 0
    assert not table.goes_with(only)
    assert table.remove(only) is None


def test_delete_pending_is_told_before_a_sharing_violation():
    table, file = FileTable(), PaperFile()
    table.add(an_open(file, sharing=0)).delete_pending = True
    with pytest.raises(NtError) as caught:
        table.check(file, Access.FILE_READ_DATA, ALL_SHARED)
    assert caught.value.status == NtStatus.DELETE_PENDING


def test_all_opens_of_a_file_get_its_new_name_and_other_links_keep_theirs():
    table = FileTable()
    files = [PaperFile(path="old"), PaperFile(path="old"), PaperFile(path="link")]
    for number, file in enumerate(files):
        state = table.add(an_open(file, number=number))
    state.renamed("old", "new")
    assert [file.path for file in files] == ["new", "new", "link"]


def test_the_opens_below_a_directory_are_those_inside_it_on_its_share():
    table, root, other_root = FileTable(), object(), object()
    directory = an_open(PaperFile(inode=1, path="d", root=root))
    table.add(directory)
    places = [("d/a", root), ("d/e/f", root), ("da", root), ("d/a", other_root), ("e/d/a", root)]
    opens = [
        an_open(PaperFile(inode=2 + number, path=path, root=where), number=2 + number)
        for number, (path, where) in enumerate(places)
    ]
    for one in opens:
        table.add(one)
    assert table.below(directory) == opens[:2]


def test_the_locks_of_a_closed_open_are_gone():
    table, file = FileTable(), PaperFile()
    first, second = an_open(file, number=1), an_open(file, number=2)
    table.add(first)
    state = table.add(second)
    assert first.locks is second.locks is state.locks
