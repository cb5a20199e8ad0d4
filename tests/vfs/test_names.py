"""Names of clients against paths on disk: what maps, what is refused, what survives both ways."""

import os
import re

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from smbd import vfs
from smbd.ntstatus import NtError, NtStatus
from smbd.vfs.names import comparison_key


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
    assert vfs.parse_name("a") == ("a", None)
    assert vfs.parse_name("a::$data") == ("a", "")


@pytest.mark.parametrize("name", ["\uf029", ".\uf029", "dir\\.\uf029", "dir\\\uf029\\x"])
def test_a_private_period_never_becomes_a_way_up(name: str) -> None:
    path = vfs.name_to_path(name)
    assert not {".", ".."} & set(path.split("/"))


def test_a_path_comes_back_as_a_name() -> None:
    assert vfs.path_to_name("") == ""
    assert vfs.path_to_name("dir/a.txt") == "dir\\a.txt"
    assert vfs.path_to_name("a:b/c?/end.") == "a\uf022b\\c\uf025\\end\uf029"


ON_DISK = st.one_of(
    st.binary(max_size=60),
    st.text("aE. :\uf022\uf080\uf0a4\uf0ef\u00fc\U0001f600\ud800\udc80", max_size=20).map(
        lambda name: name.encode("utf-8", "surrogatepass")
    ),
).map(lambda raw: os.fsdecode(raw.replace(b"/", b"").replace(b"\0", b"")))
# These are found second where both are there: trees that Samba wrote have them on disk.
BY_ANOTHERS_NAME = re.compile("[\uf001-\uf027]|[\uf028\uf029]\\Z")


@given(ON_DISK.filter(lambda component: component not in {"", ".", ".."}))
@example(os.fsdecode(b"\xe4\xf6\xfc"))
@example("\uf0a4")
@example(os.fsdecode(b"\xed\xa0\x80 \xed\xb2\x80"))
@example(os.fsdecode("\uf080".encode()[:2] + "\uf080".encode()))
def test_any_bytes_on_disk_survive_the_way_to_the_client_and_back(component: str) -> None:
    name = vfs.to_wire(component)
    assert name.encode("utf-16-le").decode("utf-16-le") == name  # strictly
    assert len(name) <= len(os.fsencode(component))
    assert comparison_key(vfs.to_disk(name)) == comparison_key(component)
    if not BY_ANOTHERS_NAME.search(component):
        assert vfs.to_disk(name) == component
        assert vfs.name_to_path(name) == component


@given(st.lists(ON_DISK, min_size=2, max_size=2, unique=True))
def test_two_names_on_disk_are_two_to_a_client(pair: list[str]) -> None:
    if not any(BY_ANOTHERS_NAME.search(component) for component in pair) and all(pair):
        assert vfs.to_wire(pair[0]) != vfs.to_wire(pair[1])


@given(st.text("aE\uf080\uf082\uf083\uf0a4\uf0bc\uf0c3\uf0ef\ud800\udc80\udced", min_size=1))
def test_what_a_client_calls_a_file_is_one_path_in_one_spelling(name: str) -> None:
    path = vfs.to_disk(name)
    assert os.fsdecode(os.fsencode(path)) == path
    # Three bytes may be one of the characters that stand for others: such a name has two
    # spellings, as in a tree that Samba wrote, and the index finds it by both.
    assume(not any("\uf001" <= character <= "\uf029" for character in path))
    assert vfs.to_disk(vfs.to_wire(path)) == path


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
    assert vfs.to_wire(latin) == "gr\uf0fc\uf0dfe"
    assert os.fsencode(vfs.to_disk("gr\uf0fc\uf0dfe")) == b"gr\xfc\xdfe"


def test_a_character_that_stands_for_a_byte_is_said_by_its_own_bytes() -> None:
    assert vfs.to_wire("\uf0a4") == "\uf0ef\uf082\uf0a4"
    assert vfs.to_disk("\uf0ef\uf082\uf0a4") == "\uf0a4"


def test_bytes_that_are_a_character_together_are_that_character() -> None:
    assert vfs.to_disk("\uf0c3\uf0bc") == "ü"


def test_half_a_surrogate_pair_is_a_name_too() -> None:
    """The client that made it opens it so; all others by what the listing says."""
    path = vfs.name_to_path("half\ud800")
    assert os.fsencode(path) == b"half\xed\xa0\x80"
    assert vfs.path_to_name(path) == "half\uf0ed\uf0a0\uf080"
    assert vfs.name_to_path("half\uf0ed\uf0a0\uf080") == path


def test_halves_that_meet_on_disk_stay_two() -> None:
    path = os.fsdecode(b"\xed\xa0\xbd\xed\xb8\x80")
    assert vfs.to_disk(vfs.to_wire(path)) == path != vfs.to_disk("\U0001f600")


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
