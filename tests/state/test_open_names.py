"""Which directories hold names of open files."""

import pytest

from smbd.state import FileTable
from tests.counted import instructions
from tests.state.holders import PaperFile, PaperRoot, an_open

SHARE, INNER = PaperRoot("/share"), PaperRoot("/share/folder/inner")


def opened(table, path, *, root=SHARE, inode=5, **how):
    held = an_open(file=PaperFile(path=path, root=root, inode=inode, **how))
    table.add(held)
    return held


def below(table, path="folder", root=SHARE):
    return table.has_open_below(PaperFile(inode=1, path=path, root=root, is_directory=True))


@pytest.mark.parametrize(
    ("path", "root", "inside"),
    [
        ("folder/a", SHARE, True),
        ("folder/deep/er/a", SHARE, True),
        ("folder", SHARE, False),
        ("folder 2/a", SHARE, False),
        ("a", SHARE, False),
        ("", SHARE, False),
        ("", INNER, True),
        ("a", INNER, True),
        ("deep/a", INNER, True),
        ("folder/a", PaperRoot("/elsewhere"), False),
    ],
)
def test_a_name_is_inside_the_directories_above_it(path, root, inside):
    table = FileTable()
    held = opened(table, path, root=root)
    assert below(table) is inside
    table.remove(held)
    assert below(table) is False


def test_a_directory_is_not_empty_before_its_last_name_is_closed():
    table = FileTable()
    first, second = opened(table, "folder/a"), opened(table, "folder/a")
    other = opened(table, "folder/b", inode=6)
    for held, rest in ((first, True), (other, True), (second, False)):
        table.remove(held)
        assert below(table) is rest


def test_a_name_that_moves_is_inside_its_new_directory():
    table = FileTable()
    held = opened(table, "folder/a")
    held.file.path = "other/a"
    held.link.renamed(held.file)
    assert (below(table), below(table, "other")) == (False, True)
    table.remove(held)
    assert below(table, "other") is False


def test_a_stream_moves_with_its_file():
    table = FileTable()
    held = opened(table, "folder/a")
    table.add(an_open(file=PaperFile(path="folder/a", inode=5, stream="S", of=held.file)))
    held.file.path = "other/a"
    held.link.renamed(held.file)
    assert (below(table), below(table, "other")) == (False, True)


def test_two_names_that_have_become_one_count_once():
    table = FileTable()
    first, second = opened(table, "folder/a", names=2), opened(table, "other/a", names=2)
    second.file.path = "folder/a"
    second.link.renamed(second.file)
    assert below(table, "other") is False
    table.remove(first)
    assert below(table)
    table.remove(second)
    assert below(table) is False


def test_behind_a_link_to_a_directory_the_kernel_says_where_a_file_is():
    table = FileTable()
    there = PaperRoot("/share/folder")  # where the kernel sees what the client calls link/a
    held = opened(table, "a", root=there, crossed=True)
    assert below(table) is True
    table.remove(held)
    assert below(table) is False


def test_a_name_that_is_being_deleted_keeps_no_directory():
    table = FileTable()
    held = opened(table, "folder/a")
    held.link.set_delete_pending()
    going = table.remove(held)
    assert below(table) is False
    table.forget(going)
    assert below(table) is False


def test_ten_thousand_names_cost_hardly_more_than_one():
    few, many = FileTable(), FileTable()
    opened(few, "other/a")
    for number in range(10_000):
        opened(many, f"other/{number}", inode=number)
    assert instructions(lambda: below(many)) == instructions(lambda: below(few))
