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
    deleted = table.remove(only)
    assert deleted is not None
    assert status_of_an_open(table, file) == NtStatus.DELETE_PENDING
    table.forget(deleted)
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
    link.set_delete_pending()
    assert status_of_an_open(table, file) == NtStatus.DELETE_PENDING
    assert table.goes_with(only)
    link.set_delete_pending(pending=False)
    assert status_of_an_open(table, file) == 0
    assert not table.goes_with(only)
    assert table.remove(only) is None


def test_delete_pending_is_told_before_a_sharing_violation():
    table, file = FileTable(), PaperFile()
    table.add(an_open(file, sharing=0)).set_delete_pending()
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
    files[0].path = "new"
    opens[0].link.renamed(files[0])
    assert [file.path for file in files] == ["new", "new", "link"]


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
    one.link.set_delete_pending()
    assert status_of_an_open(table, one.file) == NtStatus.DELETE_PENDING
    assert status_of_an_open(table, two.file) == 0
    assert table.goes_with(one)
    assert not table.goes_with(two)
    deleted = table.remove(one)
    assert deleted.file is one.file
    table.forget(deleted)
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
    assert table.of(two.file).pending_deletions == 0


def test_share_modes_are_of_the_file_by_whatever_name():
    table, _, two = two_names()
    alone = an_open(PaperFile(path="one", names=2), number=3, sharing=0)
    table.add(alone)
    assert status_of_an_open(table, two.file) == NtStatus.SHARING_VIOLATION
    table.remove(alone)
    assert status_of_an_open(table, two.file) == 0


def test_links_marked_for_deletion_are_counted_but_symbolic_ones_are_no_links_of_the_file():
    table, one, two = two_names()
    symbolic = an_open(PaperFile(path="s", names=2, symlink="s"), number=3)
    table.add(symbolic)
    state = table.of(one.file)
    assert state.links_that_go() == 0
    symbolic.link.set_delete_pending()
    assert state.links_that_go() == 0
    one.link.set_delete_pending()
    two.link.set_delete_pending()
    assert state.links_that_go() == 2
    two.link.set_delete_pending(pending=False)
    assert state.links_that_go() == 1


def test_a_name_renamed_onto_another_of_its_file_becomes_that_one():
    table, one, two = two_names()
    one.file.path = "two"
    one.link.renamed(one.file)
    assert one.link is two.link
    assert [one.file.path, two.file.path] == ["two", "two"]
    two.link.set_delete_pending()
    assert table.remove(two) is None
    assert table.remove(one) is one.link
    table.forget(one.link)
    assert table.of(one.file) is None


def test_a_mark_set_twice_is_taken_off_once():
    table, one, _ = two_names()
    for deleted in (True, True, False, False):
        one.link.set_delete_pending(pending=deleted)
    assert table.of(one.file).pending_deletions == 0


def test_a_folder_knows_whether_something_in_it_is_open():
    table, folder = FileTable(), PaperFile(inode=10, path="a/b")
    inner = PaperRoot("/share/a/b/served")
    for number, path in enumerate(("a/b", "a/bc", "a", "c/a/b/d")):
        table.add(an_open(PaperFile(inode=20 + number, path=path)))
    assert not table.has_open_below(folder)
    for file in (PaperFile(inode=40, path="a/b/c/d"), PaperFile(inode=41, path="e", root=inner)):
        open_ = an_open(file)
        table.add(open_)
        assert table.has_open_below(folder)
        table.remove(open_)
        assert not table.has_open_below(folder)


class AskedRoot(PaperRoot):
    """It counts how often it was asked for its absolute path, which is a system call."""

    asked = 0

    @property
    def absolute_path(self):
        self.asked += 1
        return "/share"

    @absolute_path.setter
    def absolute_path(self, _value):
        pass


def test_a_folder_asks_each_share_for_its_absolute_path_once_whatever_is_open_there():
    table, root = FileTable(), AskedRoot()
    for number in range(1000):
        table.add(an_open(PaperFile(inode=100 + number, path=f"{number}", root=root)))
    for number in range(1000):
        table.add(an_open(PaperFile(inode=1, path="much opened", root=root), number=number))
    root.asked = 0
    assert not table.has_open_below(PaperFile(inode=2, path="folder", root=root))
    assert root.asked == 2


def test_a_writer_is_alone_whatever_the_number_of_readers():
    table, file = FileTable(), PaperFile()
    writer = an_open(file, access=Access.FILE_WRITE_DATA)
    reader = an_open(file)
    state = table.add(writer).state
    table.add(reader)
    assert not state.has_other_writer(writer)
    assert state.has_other_writer(reader)
    other = an_open(file, access=Access.FILE_APPEND_DATA)
    table.add(other)
    assert state.has_other_writer(writer)
    table.remove(other)
    assert not state.has_other_writer(writer)


def test_a_name_that_moves_is_followed_by_opens_of_a_share_around_or_within():
    table = FileTable()
    roots = [PaperRoot("/srv"), PaperRoot("/srv/d"), PaperRoot("/srv/d/e")]
    files = [
        PaperFile(path=path, root=root)
        for path, root in zip(("d/e/a", "e/a", "a"), roots, strict=True)
    ]
    for number, file in enumerate(files):
        table.add(an_open(file, number=number))
    link = table.add(an_open(PaperFile(path="e/a", root=roots[1]), number=3))
    assert len(link.state.links) == 1
    files[1].path = "b"
    link.renamed(files[1])
    assert [file.path for file in files] == ["d/b", "b", "a"], "beyond the third one's reach"
    files[1].path = "e/f/b"
    link.renamed(files[1])
    assert [file.path for file in files] == ["d/e/f/b", "e/f/b", "f/b"]
