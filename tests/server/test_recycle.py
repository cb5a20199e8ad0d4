"""The recycle folder of a share: what a client deletes or replaces can come back."""

import os
import subprocess
import time
from pathlib import Path
from struct import pack, unpack_from

import pytest

from smbd.config import ShareConfig
from smbd.ntstatus import NtStatus
from smbd.server.expiring import expire_shares
from smbd.testing import serve, serve_in_thread
from smbd.vfs import recycling
from smbd.vfs.acl import stored
from smbd.wire.access import Access
from smbd.wire.create import CreateDisposition, CreateOptions
from smbd.wire.create_contexts import ContextName
from smbd.wire.dtyp import SecurityDescriptor
from tests.core import messages
from tests.scripted import connected
from tests.server.clients import PypiClient, SambaClient, refusal
from tests.server.clients.information import mark_for_deletion

NAMES = 3  # of CompletionFilter
ADDED, REMOVED = 1, 2  # FileAction
RECYCLE = {"recycle": ".recycle"}


@pytest.fixture
def bin_(folder):
    """The recycle folder."""
    return folder / ".recycle"


@pytest.fixture
def client(folder):
    with serve_in_thread(folder, **RECYCLE) as server, PypiClient(server) as client:
        yield client


def files_below(folder):
    return {
        str(one.relative_to(folder)): one.read_bytes()
        for one in folder.rglob("*")
        if one.is_file() and not one.is_symlink()
    }


def by_disposition(client, name):
    opened = client.open(name, access=Access.DELETE, disposition=CreateDisposition.OPEN)
    mark_for_deletion(opened)
    opened.close()


def on_close(client, name):
    client.open(
        name,
        access=Access.DELETE,
        disposition=CreateDisposition.OPEN,
        options=CreateOptions.DELETE_ON_CLOSE,
    ).close()


def by_its_library(client, name):
    client.remove(name)


@pytest.mark.parametrize("delete", [by_disposition, on_close, by_its_library])
@pytest.mark.parametrize("name", ["file.txt", r"some\deeper folder\file.txt"])
def test_a_file_that_is_deleted_lies_in_it_where_it_lay(folder, bin_, client, delete, name):
    path = Path(name.replace("\\", "/"))
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_bytes(b"precious")
    os.utime(folder / path, ns=(10**18, 10**18 + 1))
    os.setxattr(folder / path, "user.mark", b"kept")
    inode = (folder / path).stat().st_ino
    delete(client, name)
    assert not (folder / path).exists()
    assert files_below(bin_) == {str(path): b"precious"}
    kept = (bin_ / path).stat()
    assert (kept.st_ino, kept.st_mtime_ns) == (inode, 10**18 + 1)
    assert os.getxattr(bin_ / path, "user.mark") == b"kept"
    client.call("rename", rf".recycle\{name}", client.path(name))
    assert (folder / path).read_bytes() == b"precious", "it came back"


def test_what_is_deleted_there_is_gone(folder, bin_, client):
    (folder / "a").mkdir()
    (folder / "a/file").write_bytes(b"x")
    client.remove(r"a\file")
    client.remove(r".RECYCLE\a\file")
    client.call("rmdir", r".recycle\a")
    client.call("rmdir", ".recycle")
    assert [one.name for one in folder.rglob("*")] == ["a"]
    (folder / "way in").symlink_to("a")
    client.put(r"way in\file", b"y")
    client.remove(r"way in\file")
    assert files_below(bin_) == {"a/file": b"y"}, "not where the link lay"


def test_names_that_are_taken_are_numbered(folder, bin_, client):
    long = "n" * 251 + ".txt"
    for name in ("a.txt", "A.TXT", "a.txt", ".rc", ".rc", long, long):
        client.put(name, name.encode())
        client.remove(name)
    assert files_below(bin_) == {
        "a.txt": b"a.txt",
        "A (1).TXT": b"A.TXT",
        "a (2).txt": b"a.txt",
        ".rc": b".rc",
        ".rc (1)": b".rc",
        long: long.encode(),
        "n" * 247 + " (1).txt": long.encode(),
    }


def test_a_folder_goes_where_a_file_or_a_link_has_its_name(folder, bin_, client, tmp_path):
    client.put("thing", b"was a file")
    client.remove("thing")
    (tmp_path / "outside").mkdir()
    (bin_ / "elsewhere").symlink_to(tmp_path / "outside")
    for name in ("thing", "elsewhere"):
        client.call("mkdir", name)
        client.put(rf"{name}\inside", b"inside")
        client.remove(rf"{name}\inside")
    assert files_below(bin_) == {
        "thing": b"was a file",
        "thing (1)/inside": b"inside",
        "elsewhere (1)/inside": b"inside",
    }
    assert not [*(tmp_path / "outside").iterdir()]


def test_what_has_the_name_of_the_folder_and_is_none_is_in_the_way_until_it_goes(folder, client):
    client.put(".recycle", b"no folder")
    client.put("file", b"x")
    client.remove("file")
    assert (folder / "file").exists()
    client.remove(".RECYCLE")
    client.remove("file")
    assert files_below(folder) == {".recycle/file": b"x"}


def test_a_file_that_another_one_replaces_is_kept_and_one_that_is_overwritten_is_not(
    folder, bin_, client
):
    client.call("mkdir", "work")
    client.put(r"work\report", b"first")
    client.put(r"work\report", b"overwritten in place")
    client.put("new", b"second")
    client.call("replace", "new", client.path(r"work\REPORT"))
    assert files_below(folder / "work") == {"REPORT": b"second"}
    assert files_below(bin_) == {"work/report": b"overwritten in place"}
    assert (folder / "work/REPORT").stat().st_nlink == 1
    assert (bin_ / "work/report").stat().st_nlink == 1


def test_a_replacement_that_fails_leaves_nothing_in_it(folder, bin_, client, monkeypatch):
    client.put("old", b"old")
    client.put("new", b"new")
    held = client.open("old", access=Access.FILE_READ_DATA)
    assert refusal(client.call, "replace", "new", client.path("old")) == NtStatus.ACCESS_DENIED
    held.close()
    assert not bin_.exists()
    real = os.rename

    def full(source, target, **where):
        if str(source) == "new":
            raise OSError(28, "No space left on device")
        real(source, target, **where)

    monkeypatch.setattr(os, "rename", full)
    assert refusal(client.call, "replace", "new", client.path("old")) == NtStatus.DISK_FULL
    assert files_below(folder) == {"old": b"old", "new": b"new"}


def test_where_a_file_has_one_name_alone_it_is_moved_before_it_is_replaced(
    folder, bin_, client, monkeypatch
):
    def no_link(*_args, **_how):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_link)
    client.put("old", b"old")
    client.put("new", b"new")
    client.call("replace", "new", client.path("old"))
    assert files_below(folder) == {"old": b"new", ".recycle/old": b"old"}


def test_streams_and_other_names_stay_with_it(folder, bin_, client):
    client.put("file", b"data")
    client.put("file:small", b"s")
    client.put("file:large", bytes(200_000))
    (folder / "twin").hardlink_to(folder / "file")
    client.remove("file")
    assert client.get(r".recycle\file:small") == b"s"
    assert client.get(r".recycle\file:large") == bytes(200_000)
    client.remove(r".recycle\file:small")
    assert (folder / "twin").read_bytes() == b"data"
    client.remove("twin")
    assert (bin_ / "twin").samefile(bin_ / "file")


def test_links_folders_and_what_is_spared_are_deleted(folder, bin_):
    (folder / "file").write_bytes(b"x")
    (folder / "link").symlink_to("file")
    (folder / "empty").mkdir()
    options = {**RECYCLE, "recycle_except": ("*.tmp", "~$*")}
    with serve_in_thread(folder, **options) as server, PypiClient(server) as client:
        client.put("x.TMP", b"")
        client.put("~$letter.doc", b"")
        for name in ("link", "x.TMP", "~$letter.doc"):
            client.remove(name)
        client.call("rmdir", "empty")
    assert files_below(folder) == {"file": b"x"}
    assert not bin_.exists()


async def test_a_create_that_fails_keeps_nothing_of_the_file_that_it_made(folder, bin_):
    """What the server itself removes is nobody's deletion."""
    too_large = [(ContextName.ALLOCATION_SIZE, pack("<Q", 1 << 50))]
    async with serve(folder, **RECYCLE) as server, connected(server) as client:
        await client.connect()
        for name in ("new", "new:stream"):
            assert (await client.create(name, contexts=too_large)).status != 0
    assert not [*folder.glob("new")]
    assert not bin_.exists()


def test_folders_in_it_are_guarded_as_those_they_stand_for(folder, bin_, client):
    (folder / "private").mkdir(mode=0o700)
    (folder / "private").chmod(0o2750)
    guarded = stored.pack(SecurityDescriptor("S-1-1-0", None, None))
    os.setxattr(folder / "private", stored.NAME, guarded)
    client.put(r"private\file", b"x")
    client.remove(r"private\file")
    assert (bin_ / "private").stat().st_mode & 0o7777 == 0o2750
    assert os.getxattr(bin_ / "private", stored.NAME) == guarded
    assert bin_.stat().st_mode == folder.stat().st_mode


async def test_what_cannot_be_kept_is_not_deleted_and_the_log_says_so(folder, bin_, caplog):
    bin_.mkdir()
    (bin_ / "x").mkdir()
    async with serve(folder, **RECYCLE) as server, connected(server) as client:
        await client.connect()
        for name in ("one", "two"):
            file = await client.open(name)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(recycling, "take_by_rename", full)
                await client.set_info(file, 13, b"\1")
                assert (await client.close(file)).status == 0
        told = [one.message for one in caplog.records if one.event == "deletion refused"]
        text = "a file was not deleted, since .recycle cannot take it: No space left on device"
        assert told == [f"share: {text} (told once)"]
    assert sorted(files_below(folder)) == ["one", "two"]


def full(_old, _new):
    raise OSError(28, "No space left on device")


async def test_watchers_and_those_that_cache_the_folder_hear_where_it_went(folder, bin_):
    (folder / "inner").mkdir()
    async with serve(folder, **RECYCLE) as server:
        async with connected(server) as watcher, connected(server) as other:
            await watcher.connect()
            await other.connect()
            file = await other.open(r"inner\file")
            await other.close(await other.open(r"inner\old"))
            directory = await watcher.open("", access=1, options=1)
            asked = messages.change_notify(directory, NAMES)
            waiting = await watcher.begin(messages.CHANGE_NOTIFY, asked)
            await watcher.interim(waiting)
            await other.set_info(file, 13, b"\1")
            await other.close(file)
            heard = changes(await watcher.reply(waiting))
            while len(heard) < 4:
                heard += changes(await watcher.ask(messages.CHANGE_NOTIFY, asked))
            assert heard == [
                (ADDED, ".recycle"),
                (ADDED, r".recycle\inner"),
                (REMOVED, r"inner\file"),
                (ADDED, r".recycle\inner\file"),
            ]
            new = await other.open("new")
            name = r"inner\old".encode("utf-16-le")
            target = pack("<B7xQI", 1, 0, len(name)) + name
            assert (await other.set_info(new, 10, target)).status == 0
            heard = []
            while (ADDED, r"inner\old") not in heard:
                heard += changes(await watcher.ask(messages.CHANGE_NOTIFY, asked))
            assert (ADDED, r".recycle\inner\old") in heard


async def delete(client, *names):
    for name in names:
        file = await client.open(name)
        await client.set_info(file, 13, b"\1")
        await client.close(file)


async def expired(server, days):
    """What the server does once an hour, so many days from now."""
    service = server.server.service
    await expire_shares(service, service.shares.values(), time.time() + days * 86400)


async def test_what_has_lain_there_for_so_many_days_goes_but_what_is_open(folder, bin_):
    async with serve(folder, **RECYCLE, recycle_days=30) as server:
        async with connected(server) as client:
            await client.connect()
            await delete(client, "one", "two", "three")
            held = await client.open(r".recycle\two")
            await expired(server, 29.9)
            assert files_below(bin_).keys() == {"one", "two", "three"}
            await expired(server, 30.1)
            assert files_below(bin_).keys() == {"two"}
            await client.close(held)
            await expired(server, 30.1)
            assert not files_below(bin_)


async def test_without_a_number_of_days_it_lies_there_for_ever(folder, bin_):
    async with serve(folder, **RECYCLE) as server:
        async with connected(server) as client:
            await client.connect()
            await delete(client, "one")
            await expired(server, 100_000)
            assert files_below(bin_).keys() == {"one"}


async def test_who_watches_the_folder_hears_what_has_gone(folder, bin_):
    async with serve(folder, **RECYCLE, recycle_days=1) as server:
        async with connected(server) as client:
            await client.connect()
            await delete(client, "one")
            directory = await client.open(".recycle", access=1, options=1)
            asked = messages.change_notify(directory, NAMES)
            waiting = await client.begin(messages.CHANGE_NOTIFY, asked)
            await client.interim(waiting)
            await expired(server, 2)
            assert changes(await client.reply(waiting)) == [(REMOVED, "one")]


def changes(answer):
    """(action, name) of FILE_NOTIFY_INFORMATION."""
    found, data = [], answer.output
    while data:
        after, action, length = unpack_from("<III", data)
        found.append((action, data[12 : 12 + length].decode("utf-16-le")))
        data = data[after:] if after else b""
    return found


def test_samba_s_client_deletes_a_tree_and_gets_it_back(folder, bin_):
    with serve_in_thread(folder, **RECYCLE) as server, SambaClient(server) as samba:
        samba.run("mkdir tree", "mkdir tree/inner")
        samba.put("tree/inner/a", b"a")
        samba.put("tree/b", b"b")
        samba.run("deltree tree")
        assert samba.names() == {".recycle"}
        samba.run("rename .recycle/tree tree")
        assert samba.get("tree/inner/a") == b"a"
    assert files_below(folder / "tree") == {"inner/a": b"a", "b": b"b"}
    assert not [*bin_.iterdir()]


def test_another_file_system_below_the_share_has_one_of_its_own(folder, bin_):
    if os.geteuid() != 0:
        pytest.skip("mounting takes root")
    mount = folder / "mount"
    mount.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "test", mount], check=True)
    try:
        (mount / "deep").mkdir()
        (mount / "deep/file").write_bytes(b"x")
        with serve_in_thread(folder, **RECYCLE) as server, PypiClient(server) as client:
            client.remove(r"mount\deep\file")
        assert files_below(folder) == {"mount/.recycle/deep/file": b"x"}
    finally:
        subprocess.run(["umount", "-l", mount], check=True)


def test_each_home_has_its_own(folder, tmp_path):
    (tmp_path / "homes/test").mkdir(parents=True)
    share = ShareConfig(name="home", path=tmp_path / "homes/{user}", recycle="Papierkorb")
    with serve_in_thread(folder, shares=[share]) as server:
        with PypiClient(server, share="home") as client:
            client.put("file", b"x")
            client.remove("file")
    assert files_below(tmp_path / "homes") == {"test/Papierkorb/file": b"x"}
