"""Names of clients against paths on disk: what maps, what is refused, what survives both ways."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smbd import vfs
from smbd.ntstatus import NtError, NtStatus


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("", ""),
        ("a.txt", "a.txt"),
        ("dir\\sub\\a.txt", "dir/sub/a.txt"),
        ("dir\\", "dir"),
        ("dir\\\\a", "dir/a"),
        ("dir\\\\\\sub\\\\a\\", "dir/sub/a"),
        ("a\\\\..\\\\b", "b"),
        ("a::$DATA", "a"),
        ("a::$data", "a"),
        ("::$DATA", ""),
        ("...", "..."),
        (" leading", " leading"),
        ("a\\..\\b", "b"),
        ("a\\b\\..\\..", ""),
        ("grüße\\日本\\😀", "grüße/日本/😀"),
        # the private range, as macOS and cifs.ko say it
        ("a\uf022b\uf025", "a:b?"),
        ("\uf020\uf021\uf022\uf023\uf024\uf025\uf026\uf027", '"*:<>?\\|'),
        ("tab\uf009", "tab\t"),
        ("end\uf029", "end."),
        ("end\uf028", "end "),
        ("mid\uf029dle", "mid\uf029dle"),
        ("plain.", "plain."),
        ("\uf02a", "\uf02a"),
    ],
)
def test_a_name_has_this_path(name: str, path: str) -> None:
    assert vfs.name_to_path(name) == path


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("\\a", NtStatus.INVALID_PARAMETER),
        ("..", NtStatus.OBJECT_PATH_SYNTAX_BAD),
        ("a\\..\\..", NtStatus.OBJECT_PATH_SYNTAX_BAD),
        ("a\\..\\..\\a", NtStatus.OBJECT_PATH_SYNTAX_BAD),
        ("a*\\..\\b", NtStatus.OBJECT_NAME_INVALID),
        (".", NtStatus.OBJECT_NAME_INVALID),
        ("a\\.\\b", NtStatus.OBJECT_NAME_INVALID),
        ("a\\\\", NtStatus.OBJECT_NAME_INVALID),
        ("a/b", NtStatus.OBJECT_NAME_INVALID),
        ("/etc/passwd", NtStatus.OBJECT_NAME_INVALID),
        ("../../etc", NtStatus.OBJECT_NAME_INVALID),
        ("a\0b", NtStatus.OBJECT_NAME_INVALID),
        ("a\x1fb", NtStatus.OBJECT_NAME_INVALID),
        ("*.txt", NtStatus.OBJECT_NAME_INVALID),
        ("a?", NtStatus.OBJECT_NAME_INVALID),
        ('a"', NtStatus.OBJECT_NAME_INVALID),
        ("a<b", NtStatus.OBJECT_NAME_INVALID),
        ("a|b", NtStatus.OBJECT_NAME_INVALID),
        ("a:b\\c", NtStatus.OBJECT_NAME_INVALID),
        ("a:stream", NtStatus.OBJECT_NAME_INVALID),
        ("a:", NtStatus.OBJECT_NAME_INVALID),
        ("a::", NtStatus.OBJECT_NAME_INVALID),
        ("a:b:$INDEX_ALLOCATION", NtStatus.OBJECT_NAME_INVALID),
        ("a:b:$DATA:c", NtStatus.OBJECT_NAME_INVALID),
        ("x" * 256, NtStatus.OBJECT_NAME_INVALID),
        ("ü" * 128, NtStatus.OBJECT_NAME_INVALID),
    ],
)
def test_what_is_no_name_is_refused(name: str, status: int) -> None:
    with pytest.raises(NtError) as refusal:
        vfs.name_to_path(name)
    assert refusal.value.status == status


def test_the_longest_components_pass() -> None:
    assert vfs.name_to_path("x" * 255) == "x" * 255
    assert vfs.name_to_path("ü" * 127) == "ü" * 127


def test_a_stream_is_split_off_for_those_who_can_serve_it() -> None:
    assert vfs.parse_name("dir\\a.txt:Zone.Identifier") == ("dir/a.txt", "Zone.Identifier")
    assert vfs.parse_name("a:b:$DATA") == ("a", "b")
    assert vfs.parse_name(":b") == ("", "b")
    assert vfs.parse_name("a") == ("a", "")


@pytest.mark.parametrize("name", ["\uf029", ".\uf029", "dir\\.\uf029", "dir\\\uf029\\x"])
def test_a_private_period_never_becomes_a_way_up(name: str) -> None:
    path = vfs.name_to_path(name)
    assert not {".", ".."} & set(path.split("/"))


def test_a_path_comes_back_as_a_name() -> None:
    assert vfs.path_to_name("") == ""
    assert vfs.path_to_name("dir/a.txt") == "dir\\a.txt"
    assert vfs.path_to_name("a:b/c?/end.") == "a\uf022b\\c\uf025\\end\uf029"


@given(st.binary(min_size=1, max_size=60))
def test_any_bytes_on_disk_survive_the_way_to_the_client_and_back(raw: bytes) -> None:
    component = os.fsdecode(raw.replace(b"/", b"").replace(b"\0", b""))
    if component in {"", ".", ".."}:
        return
    name = vfs.to_wire(component)
    on_the_wire = name.encode("utf-16-le", "surrogatepass")
    received = on_the_wire.decode("utf-16-le", "surrogatepass")
    assert received == name
    # A name that is no proper UTF-8 may come back as another spelling, but always as one that the
    # folder's index knows it by.
    assert vfs.fold(vfs.to_wire(vfs.to_disk(received))) == vfs.fold(name)
    with_proper_names = "\ud800" not in component and component.isprintable()
    if with_proper_names:
        assert vfs.name_to_path(received) == component


@given(st.text(alphabet=st.characters(), max_size=40))
def test_any_name_gives_a_confined_path_or_a_refusal(name: str) -> None:
    try:
        path = vfs.name_to_path(name)
    except NtError:
        return
    if path:
        components = path.split("/")
        assert not {"", ".", ".."} & set(components)
        assert all(len(os.fsencode(component)) <= 255 for component in components)
    assert b"\0" not in os.fsencode(path)


def test_undecodable_bytes_keep_their_place() -> None:
    latin = os.fsdecode(b"gr\xfc\xdfe")
    assert vfs.to_wire(latin) == latin
    assert os.fsencode(vfs.to_disk(vfs.to_wire(latin))) == b"gr\xfc\xdfe"


def test_half_a_surrogate_pair_is_a_name_too() -> None:
    path = vfs.name_to_path("half\ud800")
    assert os.fsencode(path) == b"half\xed\xa0\x80"
    assert vfs.path_to_name(path) == "half\ud800"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("README", "readme", True),
        ("ÄÖÜ", "äöü", True),
        ("ΣΊΣΥΦΟΣ", "σίσυφος", True),
        ("\uff21", "\uff41", True),  # full-width A and a
        ("straße", "STRASSE", False),  # one unit stays one unit
        ("i", "\u0131", False),  # Turkish without a dot is no ASCII letter
        ("s", "\u017f", False),
        ("\u212a", "k", False),  # the Kelvin sign
        ("\U00010400", "\U00010428", False),  # Windows folds the first plane only
        ("ä", "a\u0308", False),  # no normalisation: two names, as on NTFS
    ],
)
def test_case_is_folded_as_windows_does(one: str, other: str, same: bool) -> None:
    assert (vfs.fold(one) == vfs.fold(other)) is same


@pytest.mark.parametrize("name", ["a\\" * 2048 + "a", "a\\" * 15_000, "a\\..\\" * 1000 + "a"])
def test_a_path_that_no_call_of_the_kernel_takes_is_none(name):
    assert vfs.name_to_path("a\\" * 2047 + "a").count("/") == 2047
    with pytest.raises(NtError) as caught:
        vfs.name_to_path(name)
    assert caught.value.status == NtStatus.OBJECT_NAME_INVALID
