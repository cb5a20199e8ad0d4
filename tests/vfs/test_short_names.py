"""8.3 names: what they are made of, and what is found by them."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smbd import vfs
from smbd.ntstatus import NtStatus
from smbd.vfs.short_names import find_by_short_name, short_name
from tests.vfs.conftest import read, refused

DOS = re.compile(r"[A-Z0-9!#$%&'()\-@^_`{}~]{1,8}(\.[A-Z0-9!#$%&'()\-@^_`{}~]{1,3})?")


@pytest.mark.parametrize("name", ["A.TXT", "a.txt", "ABCDEFGH", "x~1.c", "$(b)&-@^.{}"])
def test_a_name_that_dos_could_say_is_its_own_short_name(name: str) -> None:
    assert short_name(name) == name.upper()


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("a long name.document", r"A[0-9A-Z]{5}~[0-9A-Z]\.DOC"),
        ("README.markdown", r"R[0-9A-Z]{5}~[0-9A-Z]\.MAR"),
        (".profile", r"P[0-9A-Z]{5}~[0-9A-Z]"),
        ("日本語.txt", r"_[0-9A-Z]{5}~[0-9A-Z]\.TXT"),
        ("two.dots.c", r"T[0-9A-Z]{5}~[0-9A-Z]\.C"),
    ],
)
def test_any_other_gets_its_first_character_and_a_hash(name: str, shape: str) -> None:
    assert re.fullmatch(shape, short_name(name))
    assert short_name(name) == short_name(name.upper())


@given(st.text(st.characters(exclude_characters='\\/:*?"<>|\0'), min_size=1, max_size=40))
def test_dos_could_say_every_short_name(name: str) -> None:
    assert DOS.fullmatch(short_name(name))
    assert short_name(short_name(name)) == short_name(name)


def test_a_file_is_opened_by_its_short_name(root: vfs.Root, share: Path) -> None:
    (share / "a long name.document").write_text("found")
    (share / "another long name.document").write_text("not this")
    short = short_name("a long name.document")
    assert read(root, short) == b"found"
    assert read(root, short.lower()) == b"found"
    with refused(NtStatus.OBJECT_NAME_COLLISION):
        root.create(short, directory=False)
    with root.open(short, read=False, write=False) as file:
        assert file.path == "a long name.document"


def test_a_short_name_of_two_is_nobodys() -> None:
    short = short_name("a long name.document")
    names = ["a long name.document", "A long name.document", "other"]
    assert find_by_short_name(short, [names[:1], names[2:]]) == names[0]
    assert find_by_short_name(short, [names]) is None
    assert find_by_short_name(short, [names[:1], names[1:]]) is None
    assert find_by_short_name(short, []) is None
