"""A server for tests with content that is said, read and asserted on."""

import os

import pytest
import trio

from smbd.config import ShareConfig
from smbd.ntstatus import NtStatus
from smbd.testing import READONLY, SYSTEM, File, Symlink, serve, serve_asyncio, serve_in_thread
from smbd.wire.change_notify import FileAction
from tests.scripted import clients
from tests.scripted.caching import R
from tests.server.clients import PypiClient, SambaClient, refusal
from tests.server.test_change_notify import told, watch, watched
from tests.server.test_leases import leased
from tests.server.test_leases import told as broken

TREE = {
    "a": {
        "b.txt": "text",
        "c.bin": bytes(range(256)),
        "link": Symlink("b.txt"),
        "old.txt": File(mtime=1e9, attributes=READONLY, mode=0o444, size=5 << 30),
    }
}


def test_what_is_said_is_what_a_client_finds_and_what_it_leaves_is_what_is_asserted():
    with serve_in_thread(tree=TREE) as server, PypiClient(server) as client:
        assert server.tree() == TREE
        assert client.get("a\\b.txt") == client.get("a\\link") == b"text"
        assert client.get("a\\c.bin") == bytes(range(256))
        client.put("a\\new.txt", b"new")
        client.remove("a\\b.txt")
        assert server.tree("a") == {
            "c.bin": bytes(range(256)),
            "link": Symlink("b.txt"),
            "new.txt": "new",
            "old.txt": File(size=5 << 30),
        }
        assert server.read("A/NEW.txt") == b"new"
        server.write("x/y", File("z", attributes=SYSTEM))
        assert client.get("x\\y") == b"z"


def test_smbclient_shows_attributes_times_and_sizes():
    with serve_in_thread(tree=TREE) as server, SambaClient(server) as samba:
        listed = samba.run("ls a\\*")
        line = next(line for line in listed.splitlines() if "old.txt" in line)
        assert line.split()[1:3] == ["Rs", str(5 << 30)], "READONLY, and sparse"
        assert "2001" in line
        about = samba.run("allinfo a\\old.txt")
        assert "(201)" in about


def test_streams_and_eas_are_the_clients_and_the_tests():
    tree = {"f": File("data", streams={"Zone.Identifier": "[ZoneTransfer]"}, eas={"E": "v"})}
    with serve_in_thread(tree=tree) as server, PypiClient(server) as client:
        assert client.get("f:Zone.Identifier") == b"[ZoneTransfer]"
        client.put("f:other", bytes(100_000))
        assert server.read("f", stream="other") == bytes(100_000)
        expected = {"Zone.Identifier": "[ZoneTransfer]", "other": bytes(100_000)}
        assert server.tree() == {"f": File("data", streams=expected, eas={"E": "v"})}
        server.write("f", "its", stream="other")
        assert client.get("f:other") == b"its"


def test_each_share_has_its_own(tmp_path):
    (there := tmp_path / "there").mkdir()
    with serve_in_thread(
        tree={"a": "1"}, shares=[ShareConfig(name="second", path=there)]
    ) as server:
        server.write("b", "2", share="second")
        assert (server.tree(), server.tree(share="second")) == ({"a": "1"}, {"b": "2"})
        assert server.read("b", share="second") == b"2"
        with pytest.raises(ValueError, match='there is no share "third"; there are share, second'):
            server.tree(share="third")


def test_of_homes_it_is_that_of_the_first_user(tmp_path):
    for name in ("test", "other"):
        (tmp_path / name).mkdir()
    homes = ShareConfig(name="homes", path=tmp_path / "{user}")
    with serve_in_thread(shares=[homes]) as server, PypiClient(server, share="homes") as client:
        server.write("a", "1", share="homes")
        assert client.get("a") == b"1"
        assert server.tree(share="homes") == {"a": "1"}


def test_a_folder_in_memory_is_full_when_it_is():
    try:
        running = serve_in_thread(memory="1 MiB", tree={"a": "text"})
        with running as server, PypiClient(server) as client:
            assert server.tree() == {"a": "text"}
            assert refusal(client.put, "large", bytes(1 << 20)) == NtStatus.DISK_FULL
            path = server.path
        assert not path.exists()
    except PermissionError as error:
        pytest.skip(str(error))


def test_memory_alone_has_no_limit_and_outlives_a_restart():
    with serve_in_thread(memory=True) as server:
        with PypiClient(server) as client:
            client.put("large", bytes(4 << 20))
        server.restart()
        with PypiClient(server) as client:
            assert client.get("large") == bytes(4 << 20)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"memory": "1 MiB", "path": "/tmp"}, "memory: the folder is a new one in memory"),
        ({"memory": "64 Mib."}, 'must be a number of bytes, or like "64 MiB", not "64 Mib."'),
        ({"memory": 100}, "must be 65536 at least, not 100"),
        ({"tree": {"a/b": ""}}, "a name has no slash"),
        ({"preset": "old"}, 'preset: there is no "old"'),
        ({"preset": "many-file"}, 'there is no "many-file"; did you mean "many-files"?'),
    ],
)
def test_what_cannot_be_is_said_before_anything_runs(options, message):
    with pytest.raises(ValueError) as caught, serve_in_thread(**options):
        pass
    assert message in str(caught.value)


def test_files_that_are_there_stay(tmp_path):
    (tmp_path / "a").write_text("mine")
    with pytest.raises(FileExistsError), serve_in_thread(tmp_path, tree={"a": "other"}):
        pass
    with serve_in_thread(tmp_path, tree={"b": "other"}) as server:
        assert server.tree() == {"a": "mine", "b": "other"}


def test_a_watching_client_is_told_of_what_a_test_writes():
    with serve_in_thread(tree={"a": "1", "folder": {}}) as server, PypiClient(server) as client:
        watcher = watch(watched(client), tree=True)
        server.write("a", "2")
        assert told(watcher) == [(FileAction.MODIFIED, "a")]
        watcher = watch(watched(client), tree=True)
        server.write("folder/new/b", "3")
        assert told(watcher)[0] == (FileAction.ADDED, "folder\\new")
        watcher = watch(watched(client, "folder"))
        server.write("folder/c", {})
        assert told(watcher) == [(FileAction.ADDED, "c")]


async def test_a_lease_is_broken_by_what_a_test_writes():
    async with serve(tree={"file": "1"}) as server, clients(server) as new_client:
        with trio.fail_after(240):
            client = await new_client().connect()
            await client.open("file", **leased(state=R))
            server.write("file", "2")
            assert (await broken(client)).new == 0


def test_a_stopped_server_has_its_content():
    with serve_in_thread() as server:
        server.stop()
        server.write("a", "1")
        assert server.read("a") == b"1"
        server.start()
        with PypiClient(server) as client:
            assert client.get("a") == b"1"


async def test_in_trio():
    async with serve(tree={"a": "text"}) as server:
        assert server.read("a") == b"text"


def test_in_asyncio():
    import asyncio

    async def main():
        async with serve_asyncio(tree={"a": "text"}, memory=True) as server:
            return server.tree()

    assert asyncio.run(main()) == {"a": "text"}


def test_the_fixture_takes_it(make_smb_server):
    server = make_smb_server(tree={"a": "text"})
    assert server.tree() == {"a": "text"}
    assert make_smb_server(memory=True).path.is_relative_to("/proc") or os.geteuid() != 0
