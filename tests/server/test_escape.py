"""Nothing outside the share's folder is ever reached."""

import pytest

from smbd.ntstatus import NtStatus
from smbd.wire.access import Access
from smbd.wire.create import CreateDisposition, CreateOptions
from tests.server.clients import ImpacketClient, refusal
from tests.server.clients.information import link, rename

SECRET = b"nobody's business"


@pytest.fixture
def outside(folder):
    """A file and a folder beside what is served."""
    place = folder.parent / "outside"
    place.mkdir()
    (place / "secret").write_bytes(SECRET)
    return place


UP = [
    r"..\outside\secret",
    r"inner\..\..\outside\secret",
    r"inner\..\..\..\..\..\..\etc\passwd",
    "..",
    r"inner\..\..",
    r"..\served",
]


@pytest.mark.parametrize("name", UP)
@pytest.mark.parametrize("disposition", [CreateDisposition.OPEN, CreateDisposition.OPEN_IF])
def test_dots_do_not_lead_up(folder, outside, pypi, name, disposition):
    (folder / "inner").mkdir()
    asked = refusal(pypi.open, name, access=Access.FILE_READ_DATA, disposition=disposition)
    assert asked == NtStatus.OBJECT_PATH_SYNTAX_BAD


def test_dots_inside_the_share_take_back_what_was_said(folder, outside, pypi):
    """In the text: behind a link they lead to where the link stands, not to where it points."""
    (folder / "inner").mkdir()
    (folder / "inner" / "file").write_bytes(b"here")
    (folder / "way out").symlink_to(outside)
    for name in (r"inner\..\inner\file", r"way out\..\inner\file"):
        pypi.open(name, disposition=CreateDisposition.OPEN)
    asked = refusal(pypi.open, r"way out\..\secret", disposition=CreateDisposition.OPEN)
    assert asked == NtStatus.OBJECT_NAME_NOT_FOUND


@pytest.mark.parametrize("name", ["../outside/secret", "/etc/passwd", "inner/../../outside/secret"])
def test_slashes_are_no_separators(folder, outside, pypi, name):
    (folder / "inner").mkdir()
    asked = refusal(pypi.open, name, access=Access.FILE_READ_DATA)
    assert asked == NtStatus.OBJECT_NAME_INVALID


@pytest.mark.parametrize(
    "name", [r"\etc\passwd", r"\\127.0.0.1\share\x", r"C:\windows", r"\\?\C:\x"]
)
def test_absolute_names_lead_nowhere(folder, server, name):
    with ImpacketClient(server) as client:
        server3 = client.connection.getSMBServer()
        tree = server3.connectTree(client.share)
        status = refusal(
            server3.create, tree, "." + name if name[0] != "\\" else name,
            Access.FILE_READ_DATA, 7, 0, CreateDisposition.OPEN, 0,
        )  # fmt: skip
    assert status in {
        NtStatus.INVALID_PARAMETER,
        NtStatus.OBJECT_NAME_INVALID,
        NtStatus.OBJECT_NAME_NOT_FOUND,
        NtStatus.OBJECT_PATH_NOT_FOUND,
    }


@pytest.mark.parametrize("target", ["relative", "absolute"])
def test_a_symlink_that_leads_out_is_not_followed(folder, outside, pypi, target):
    points_to = {"relative": "../outside/secret", "absolute": outside / "secret"}[target]
    (folder / "link").symlink_to(points_to)
    (folder / "way out").symlink_to(outside)
    for name in ("link", r"way out\secret"):
        for disposition in (CreateDisposition.OPEN, CreateDisposition.OVERWRITE_IF):
            assert refusal(pypi.open, name, disposition=disposition) != 0
    assert refusal(pypi.open, r"way out\new") != 0
    assert refusal(pypi.call, "listdir", "way out") != 0
    assert sorted(one.name for one in outside.iterdir()) == ["secret"]
    assert (outside / "secret").read_bytes() == SECRET


def test_a_symlink_that_stays_inside_is_followed(folder, client):
    (folder / "inner").mkdir()
    (folder / "inner" / "file").write_bytes(b"inside")
    (folder / "link").symlink_to("inner/file")
    (folder / "shortcut").symlink_to("inner")
    assert client.get("link") == b"inside"
    assert client.get("shortcut/file") == b"inside"


def test_nothing_is_renamed_or_linked_out(folder, outside, pypi):
    (folder / "file").write_bytes(b"stays")
    (folder / "way out").symlink_to(outside)
    opened = pypi.open("file")
    for target in (r"..\outside\stolen", r"way out\stolen", r"inner\..\..\outside\stolen"):
        for change in (rename, link):
            assert refusal(change, opened, target) != 0
            assert refusal(change, opened, target, replace=True) != 0
    opened.close()
    assert sorted(one.name for one in outside.iterdir()) == ["secret"]
    assert (folder / "file").read_bytes() == b"stays"


def test_deleting_a_symlink_leaves_what_it_points_to(folder, outside, pypi):
    (folder / "link").symlink_to(outside / "secret")
    refusal(
        pypi.open, "link", access=Access.DELETE, disposition=CreateDisposition.OPEN,
        options=CreateOptions.DELETE_ON_CLOSE,
    )  # fmt: skip
    assert (outside / "secret").read_bytes() == SECRET
