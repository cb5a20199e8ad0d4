"""The deletion that waits, and the table of files that are open."""

import pytest

from smbd.ntstatus import NtError, NtStatus
from smbd.state import FileTable
from smbd.wire.access import Access
from tests.state.holders import ALL_SHARED, PaperFile, PaperRoot, an_open


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
    link = table.add(only)
    link.doom()
    assert status_of_an_open(table, file) == NtStatus.DELETE_PENDING
    assert table.goes_with(only)
    link.doom(doomed=False)
    assert status_of_an_open(table, file) == 0
    assert not table.goes_with(only)
    assert table.remove(only) is None


def test_delete_pending_is_told_before_a_sharing_violation():
    table, file = FileTable(), PaperFile()
    table.add(an_open(file, sharing=0)).doom()
    with pytest.raises(NtError) as caught:
        table.check(file, Access.FILE_READ_DATA, ALL_SHARED)
    assert caught.value.status == NtStatus.DELETE_PENDING


def test_all_opens_of_a_file_get_its_new_name_and_other_links_keep_theirs():
    table = FileTable()
    names = ("old", "old", "link")
    files = [PaperFile(path=path, names=2) for path in names]
    opens = [an_open(file, number=number) for number, file in enumerate(files)]
    for one in opens:
        table.add(one)
    opens[0].link.renamed("new")
    assert [file.path for file in files] == ["new", "new", "link"]


def test_the_opens_below_a_directory_are_those_inside_it_on_its_share():
    table, root, other_root = FileTable(), PaperRoot("/r"), PaperRoot("/other")
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
    link = table.add(second)
    assert first.locks is second.locks is link.state.locks


def two_names():
    """Opens of one file by two of its names."""
    table = FileTable()
    opens = [
        an_open(PaperFile(path=path, names=2), number=number)
        for number, path in enumerate(("one", "two"))
    ]
    for one in opens:
        table.add(one)
    return table, *opens


def test_a_deletion_is_of_the_name_that_was_opened_and_waits_for_no_other():
    table, one, two = two_names()
    one.link.doom()
    assert status_of_an_open(table, one.file) == NtStatus.DELETE_PENDING
    assert status_of_an_open(table, two.file) == 0
    assert table.goes_with(one)
    assert not table.goes_with(two)
    doomed = table.remove(one)
    assert doomed.file is one.file
    table.forget(doomed)
    assert status_of_an_open(table, PaperFile(path="one", names=2)) == 0
    assert table.remove(two) is None
    assert table.of(two.file) is None


def test_delete_on_close_goes_with_the_last_open_of_its_own_name():
    table, one, two = two_names()
    again = an_open(PaperFile(path="one", names=2), number=3)
    again.delete_on_close = True
    table.add(again)
    assert table.remove(again) is None, "the first open of that name is still there"
    assert one.link.delete_pending
    assert not two.link.delete_pending
    assert table.remove(one) is one.link
    table.forget(one.link)
    assert table.of(two.file).doomed == 0


def test_share_modes_are_of_the_file_by_whatever_name():
    table, _, two = two_names()
    alone = an_open(PaperFile(path="one", names=2), number=3, sharing=0)
    table.add(alone)
    assert status_of_an_open(table, two.file) == NtStatus.SHARING_VIOLATION
    table.remove(alone)
    assert status_of_an_open(table, two.file) == 0


def test_links_marked_for_deletion_are_counted_but_symbolic_ones_are_no_links_of_the_file():
    table, one, two = two_names()
    symbolic = an_open(PaperFile(path="s", names=2, is_symlink=True), number=3)
    table.add(symbolic)
    state = table.of(one.file)
    assert state.links_that_go() == 0
    symbolic.link.doom()
    assert state.links_that_go() == 0
    one.link.doom()
    two.link.doom()
    assert state.links_that_go() == 2
    two.link.doom(doomed=False)
    assert state.links_that_go() == 1


def test_a_name_renamed_onto_another_of_its_file_becomes_that_one():
    table, one, two = two_names()
    one.link.renamed("two")
    assert one.link is two.link
    assert [one.file.path, two.file.path] == ["two", "two"]
    two.link.doom()
    assert table.remove(two) is None
    assert table.remove(one) is one.link
    table.forget(one.link)
    assert table.of(one.file) is None


def test_a_mark_set_twice_is_taken_off_once():
    table, one, _ = two_names()
    for doomed in (True, True, False, False):
        one.link.doom(doomed=doomed)
    assert table.of(one.file).doomed == 0
