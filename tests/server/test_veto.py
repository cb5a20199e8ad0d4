"""Names that a share keeps from its clients (`veto`), or shows as hidden (`hide`)."""

import os
from struct import unpack_from

import pytest

from smbd.config import ShareConfig
from smbd.ntstatus import NtStatus
from smbd.server.sweeping import sweep_stores
from smbd.testing import serve, serve_in_thread
from smbd.vfs import short_name
from smbd.wire.create import CreateDisposition
from smbd.wire.fscc import FileAttribute
from tests.core import messages
from tests.scripted import connected
from tests.server.clients import PypiClient, SambaClient, refusal

NOT_FOUND, NO_PATH = NtStatus.OBJECT_NAME_NOT_FOUND, NtStatus.OBJECT_PATH_NOT_FOUND
DENIED = NtStatus.ACCESS_DENIED
VETO = ("*.tmp", "secret*", "Café?")
SHORT = short_name("secret file")  # which no pattern means
OPEN, CREATE = CreateDisposition.OPEN, CreateDisposition.CREATE
NAMES, ADDED = 3, 1  # of CompletionFilter, FileAction


def kept(folder, **keys):
    """A share "kept" of a folder, which the share "share" shows whole."""
    return {"shares": [ShareConfig(name="kept", path=folder, **{"veto": VETO, **keys})]}


@pytest.fixture
def filled(folder):
    (folder / "secret folder").mkdir()
    (folder / "secret folder/inside").write_bytes(b"inside")
    (folder / "a rather long name.tmp").write_bytes(b"left over")
    (folder / "secret file").write_bytes(b"secret")
    (folder / "seen").write_bytes(b"seen")
    (folder / "to a file").symlink_to("a rather long name.tmp")
    (folder / "to a folder").symlink_to("secret folder")
    (folder / "link.tmp").symlink_to("seen")
    (folder / "cafÉs").touch()
    return folder


@pytest.fixture
def client(filled):
    with serve_in_thread(filled, **kept(filled)) as server:
        with PypiClient(server, share="kept") as client:
            yield client


def test_what_is_vetoed_is_in_no_listing(client):
    assert client.names() == {"seen"}
    assert client.call("listdir", "", search_pattern="*.tmp") == []
    for name in ("link.tmp", "LINK.TMP", short_name("a rather long name.tmp"), "secret folder"):
        assert client.call("listdir", "", search_pattern=name) == [], name


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("a rather long name.tmp", NOT_FOUND),
        ("A RATHER long name.TMP", NOT_FOUND),
        (short_name("a rather long name.tmp"), NOT_FOUND),
        (SHORT, NOT_FOUND),
        ("a rather long name.tmp:stream", NOT_FOUND),
        ("a rather long name.tmp::$DATA", NOT_FOUND),
        ("link.tmp", NOT_FOUND),
        ("CAFÉS", NOT_FOUND),
        ("secret folder", NOT_FOUND),
        (r"secret folder\inside", NO_PATH),
        (rf"{short_name('secret folder')}\inside", NO_PATH),
        (r"SECRET FOLDER\nothing", NO_PATH),
        ("to a file", DENIED),
        ("to a folder", DENIED),
        (r"to a folder\inside", DENIED),
        ("nothing.tmp", NOT_FOUND),
    ],
)
def test_nothing_leads_to_it(client, name, status):
    assert refusal(client.open, name, disposition=OPEN) == status
    if status != DENIED:
        made = refusal(client.open, name, disposition=CreateDisposition.OPEN_IF)
        assert made == (NO_PATH if status == NO_PATH else DENIED)
        overwritten = refusal(client.open, name, disposition=CreateDisposition.OVERWRITE_IF)
        assert overwritten == made
        assert refusal(client.open, name, disposition=CREATE) == made


def test_it_is_not_made_in_any_way(filled, client):
    before = sorted(filled.rglob("*"))
    for name in ("new.tmp", "NEW.Tmp", "secretary", "seen.tmp:stream"):
        assert refusal(client.open, name, disposition=CREATE) == DENIED, name
    assert refusal(client.call, "mkdir", "secret") == DENIED
    for name in ("seen.tmp", "SECRET", short_name("a rather long name.tmp"), SHORT):
        for way in ("rename", "replace", "link"):
            got = refusal(client.call, way, "seen", client.path(name))
            assert got == DENIED, (way, name)
    for name in (r"secret folder\seen", r"to a folder\seen"):
        assert refusal(client.call, "rename", "seen", client.path(name)) in {NO_PATH, DENIED}
    assert sorted(filled.rglob("*")) == before


def test_the_rest_is_as_it_was(filled, client):
    client.put("seen.tm", b"1")
    client.put("tmp", b"2")
    client.call("rename", "seen", client.path("seen too"))
    client.call("mkdir", "folder.tmp2")
    client.put("folder.tmp2\\x", b"3")
    assert client.names() == {"seen too", "seen.tm", "tmp", "folder.tmp2"}


def test_a_folder_goes_with_a_vetoed_file_in_it_neither_away_nor_unseen(filled, client):
    (filled / "folder").mkdir()
    (filled / "folder/x.tmp").write_bytes(b"somebody's")
    assert client.names("folder") == set()
    assert refusal(client.call, "rmdir", "folder") == NtStatus.DIRECTORY_NOT_EMPTY
    client.call("rename", "folder", client.path("moved"))
    assert (filled / "moved/x.tmp").read_bytes() == b"somebody's"


def test_samba_s_client_sees_and_makes_none(filled):
    with serve_in_thread(filled, **kept(filled)) as server:
        with SambaClient(server, share="kept") as samba:
            assert samba.names() == {"seen"}
            assert "NOT_FOUND" in samba.run("get link.tmp x;ls")
            (samba.folder / "sent").write_bytes(b"x")
            assert "ACCESS_DENIED" in samba.run("put sent new.tmp;ls")
            assert "ACCESS_DENIED" in samba.run("rename seen secret;ls")
    assert not (filled / "new.tmp").exists()


async def test_watchers_hear_of_nothing_that_is_vetoed(folder):
    """Another share of the same folder changes it."""
    (folder / "inner").mkdir()
    async with serve(folder, **kept(folder)) as server:
        async with connected(server) as watcher, connected(server) as other:
            await watcher.connect("kept")
            await other.connect()
            directory = await watcher.open("", access=1, options=1)
            asked = messages.change_notify(directory, NAMES)
            waiting = await watcher.begin(messages.CHANGE_NOTIFY, asked)
            await watcher.interim(waiting)
            for name in ("a.tmp", r"inner\b.tmp", r"secret plan"):
                await other.close(await other.open(name))
            await other.open(r"inner\seen")
            told = (await watcher.reply(waiting)).output
            after, action, length = unpack_from("<III", told)
            assert (after, action, told[12:].decode("utf-16-le")) == (0, ADDED, r"inner\seen")
            assert length == len(told) - 12


def test_what_is_hidden_is_shown_with_the_attribute(folder):
    for name in ("x.tmp", "y", "Desktop.ini"):
        (folder / name).touch()
    hides = {"veto": (), "hide": ("*.tmp", "desktop.*")}
    with serve_in_thread(folder, **kept(folder, **hides)) as server:
        with PypiClient(server, share="kept") as client:
            hidden = {
                one.name
                for one in client.call("scandir", "")
                if one.smb_info.file_attributes & FileAttribute.HIDDEN
            }
            assert hidden == {"x.tmp", "Desktop.ini"}
            client.put("x.tmp", b"a client that knows of no attribute overwrites it")
            client.put("new.TMP", b"")
            told = client.call("stat", "new.TMP").st_file_attributes
            assert told & FileAttribute.HIDDEN
            client.call("rename", "new.TMP", client.path("new"))
            assert not client.call("stat", "new").st_file_attributes & FileAttribute.HIDDEN
        with SambaClient(server, share="kept") as samba:
            assert samba.names() == {"x.tmp", "y", "Desktop.ini", "new"}
    assert not any(os.listxattr(one) for one in folder.iterdir() if one.name == "y")


async def test_streams_of_vetoed_files_are_not_swept_away(folder):
    """The server itself sees them: they are alive."""
    async with serve(folder, **kept(folder)) as server:
        async with connected(server) as client:
            await client.connect()
            await client.close(await client.open("secret folder", options=1))
            stream = await client.open(r"secret folder\file:large")
            for at in range(4):
                await client.write(stream, bytes(60000), at * 60000)
            await client.close(stream)
        # By no client: so the stream's record has the old name.
        (folder / "secret folder/file").rename(folder / "secret folder/moved")
        stored = list((folder / ".smbd-streams").rglob("*"))
        shares = [server.server.service.shares["kept"]]
        await sweep_stores(shares, shares, grace=0.0)
        assert list((folder / ".smbd-streams").rglob("*")) == stored != []
