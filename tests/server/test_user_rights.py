"""Users of one share with different rights in it: `write` and `read` of shares.toml."""

from struct import pack, unpack, unpack_from

import pytest
import trio

from smbd.config import ShareConfig, UserConfig
from smbd.ntstatus import NtStatus
from smbd.testing import serve, serve_in_thread
from smbd.wire.access import Access
from smbd.wire.create import CreateDisposition, CreateOptions
from smbd.wire.create_contexts import ContextName
from tests.core import messages
from tests.core.messages import SESSION_SETUP
from tests.scripted import WINDOWS, Bare, clients, connected
from tests.scripted.caching import BATCH, durable_v2, reconnect_v2
from tests.server.clients import PypiClient, SambaClient, refusal
from tests.server.running import running

DENIED = NtStatus.ACCESS_DENIED
USERS = [UserConfig(name=name, password=name) for name in ("ann", "bob", "carl")]
READ_ACCESS, FULL_ACCESS = 0x001200A9, 0x001F01FF
READ_ONLY_VOLUME = 0x00080000
LINK, RENAME = 11, 10  # FileLinkInformation, FileRenameInformation
ATTRIBUTE, FILE_SYSTEM = 5, 2  # FileFsAttributeInformation, InfoType


def as_user(server, name, **more):
    return PypiClient(server, user=name, password=name, share="work", **more)


def work(folder, **rights):
    """A share of which `rights` are the keys."""
    share = ShareConfig(name="work", path=folder, **rights)
    return {"shares": [share], "users": USERS}


@pytest.mark.parametrize(
    ("rights", "may"),
    [
        ({"write": ("ann",)}, {"ann": True, "bob": False, "carl": False}),
        ({"read": ("BOB",)}, {"ann": True, "bob": False, "carl": True}),
        ({"write": ("ann",), "read": ("bob",)}, {"ann": True, "bob": False, "carl": None}),
        ({"write": ("ann",), "users": ("ann", "carl")}, {"ann": True, "bob": None, "carl": False}),
    ],
)
def test_a_user_reads_or_writes_or_stays_outside(folder, rights, may):
    (folder / "file").write_bytes(b"read by all that enter")
    with serve_in_thread(folder, **work(folder, **rights)) as server:
        for name, writes in may.items():
            if writes is None:
                assert refusal(as_user, server, name) == DENIED
                continue
            with as_user(server, name) as client:
                assert client.get("file") == b"read by all that enter"
                got = refusal(client.put, f"{name}'s", b"new")
                assert got == (0 if writes else DENIED)
    written = {one.name for one in folder.iterdir()} - {"file"}
    assert written == {f"{name}'s" for name, writes in may.items() if writes}


def test_a_reader_is_refused_when_it_opens_and_not_when_it_writes(folder):
    (folder / "file").write_bytes(b"printed")
    (folder / "directory").mkdir()
    opens = CreateDisposition.OPEN
    with serve_in_thread(folder, **work(folder, write=("ann",))) as server:
        with as_user(server, "bob") as bob:
            for right in (
                Access.FILE_WRITE_DATA,
                Access.FILE_APPEND_DATA,
                Access.FILE_WRITE_EA,
                Access.FILE_WRITE_ATTRIBUTES,
                Access.DELETE,
                Access.FILE_DELETE_CHILD,
                Access.WRITE_DAC,
                Access.WRITE_OWNER,
            ):
                for name in ("file", "directory", "file:stream"):
                    missing = NtStatus.OBJECT_NAME_NOT_FOUND if ":" in name else DENIED
                    got = refusal(bob.open, name, access=right, disposition=opens)
                    assert got == missing, (hex(right), name)
            for disposition in (
                CreateDisposition.SUPERSEDE,
                CreateDisposition.OVERWRITE,
                CreateDisposition.OVERWRITE_IF,
            ):
                got = refusal(
                    bob.open, "file", access=Access.FILE_READ_DATA, disposition=disposition
                )
                assert got == DENIED, disposition
            for name in ("new", "file:new", "directory\\new"):
                read = {"access": Access.FILE_READ_DATA, "disposition": CreateDisposition.OPEN_IF}
                assert refusal(bob.open, name, **read) == DENIED, name
            gone = {"options": CreateOptions.DELETE_ON_CLOSE, "disposition": opens}
            assert refusal(bob.open, "file", access=Access.FILE_READ_DATA, **gone) == DENIED
            everything = bob.open("file", access=Access.MAXIMUM_ALLOWED, disposition=opens)
            assert everything.read(0, 100) == b"printed"
            assert refusal(everything.write, b"no", 0) == DENIED
            everything.close()
    assert (folder / "file").read_bytes() == b"printed"
    assert sorted(one.name for one in folder.rglob("*")) == ["directory", "file"]


async def test_a_link_needs_no_right_over_the_file_and_is_refused_all_the_same(folder):
    (folder / "file").touch()
    name = "linked".encode("utf-16-le")
    target = pack("<B7xQI", 0, 0, len(name)) + name
    async with serve(folder, **work(folder, write=("ann",))) as server:
        async with connected(server) as bob:
            await bob.connect("work", user="bob", password="bob")
            read = await bob.open("file", access=Access.FILE_READ_DATA)
            assert (await bob.set_info(read, LINK, target)).status == DENIED
        async with connected(server) as ann:
            await ann.connect("work", user="ann", password="ann")
            read = await ann.open("file", access=Access.FILE_READ_DATA)
            assert (await ann.set_info(read, LINK, target)).status == 0
    assert (folder / "linked").exists()


@pytest.mark.parametrize(("name", "rights"), [("ann", FULL_ACCESS), ("bob", READ_ACCESS)])
async def test_all_that_tells_of_rights_tells_the_same(folder, name, rights):
    (folder / "file").touch()
    async with serve(folder, **work(folder, write=("ann",))) as server:
        async with connected(server, WINDOWS) as client:
            await client.negotiate()
            await client.log_in(name, name)
            connect = await client.enter("work")
            assert unpack("<I", connect.body[12:16]) == (rights,)
            access = {
                "access": Access.FILE_READ_ATTRIBUTES,
                "contexts": [(ContextName.MAXIMAL_ACCESS, b"")],
            }
            opened = await client.create("file", **access)
            assert unpack("<II", opened.contexts[b"MxAc"]) == (0, rights)
            volume = await client.query_info(opened.file_id, ATTRIBUTE, info_type=FILE_SYSTEM)
            read_only = unpack_from("<I", volume.output)[0] & READ_ONLY_VOLUME
            assert bool(read_only) == (rights == READ_ACCESS)


async def test_a_session_that_steps_down_to_a_guest_writes_nothing_more(folder):
    """Its handle goes on as it was opened, and gets no new name."""
    name = "moved".encode("utf-16-le")
    target = pack("<B7xQI", 0, 0, len(name)) + name
    rights = {"write": ("ann",), "guest": True}
    async with serve(folder, **work(folder, **rights)) as server:
        async with connected(server, WINDOWS) as client:
            await client.connect("work", user="ann", password="ann")
            kept = await client.open("file")
            anonymous = Bare()
            challenge = await client.ask(SESSION_SETUP, messages.session_setup(anonymous.step()))
            token = anonymous.step(challenge.token)
            assert (await client.ask(SESSION_SETUP, messages.session_setup(token))).status == 0
            assert (await client.create("new")).status == DENIED
            assert (await client.write(kept, b"mine still")).status == 0
            assert (await client.set_info(kept, RENAME, target)).status == DENIED
            read = await client.create("file", access=Access.FILE_READ_DATA)
            assert read.status == 0
    assert [one.name for one in folder.iterdir()] == ["file"]


async def test_guests_write_where_no_list_names_anybody(folder):
    for rights, told in (({}, FULL_ACCESS), ({"read": ("bob",)}, READ_ACCESS)):
        async with serve(folder, **work(folder, guest=True, **rights)) as server:
            async with connected(server) as guest:
                await guest.negotiate()
                await guest.log_in("", "")
                assert unpack("<I", (await guest.enter("work")).body[12:16]) == (told,), rights


async def test_a_reload_counts_for_the_next_tree_connect_and_open_files_stay(tmp_path):
    rights = "[shares.share]\npath = 'one'\nwrite = ['test']\n"
    async with running(tmp_path) as server, connected(server) as client:
        await client.connect()
        kept = await client.open("file")
        server.write(rights.replace("write", "read"))
        assert await server.reload()
        assert (await client.write(kept, b"mine still")).status == 0
        assert (await client.create("new")).status == 0
        await client.enter()
        assert (await client.create("newer")).status == DENIED
        server.write(rights)
        assert await server.reload()
        await client.enter()
        assert (await client.create("newer")).status == 0


async def test_a_reconnect_brings_no_right_back_that_was_taken_meanwhile(tmp_path, mock_clock):
    text = "[shares.share]\npath = 'one'\n"
    async with running(tmp_path, text) as server, clients(server) as new_client:
        client = new_client()
        first = await client.connect()
        writer = await first.open("w", oplock=BATCH, contexts=[durable_v2(b"writer".ljust(16))])
        only_read = {"access": Access.FILE_READ_DATA, "oplock": BATCH}
        reader = await first.open("r", **only_read, contexts=[durable_v2(b"reader".ljust(16))])
        await client.lose(first)
        while server.server.document()["parked"] != 2:
            await trio.lowlevel.checkpoint()
        server.write(text + "read = ['test']\n")
        assert await server.reload()
        again = await client.connect()
        for before, guid, status in ((writer, b"writer", DENIED), (reader, b"reader", 0)):
            context = reconnect_v2(before, guid.ljust(16))
            answer = await again.create("", contexts=[context])
            assert answer.status == status, guid


def test_samba_s_client_is_told_so(folder):
    (folder / "file").write_bytes(b"read")
    with serve_in_thread(folder, **work(folder, write=("ann",), read=("bob",))) as server:
        with SambaClient(server, user="bob", password="bob", share="work") as bob:
            assert bob.get("file") == b"read"
            for command in ("del file", "mkdir another", "rename file renamed", "setmode file +r"):
                assert "ACCESS_DENIED" in bob.run(f"{command};ls"), command
        with SambaClient(server, user="ann", password="ann", share="work") as ann:
            ann.put("file", b"written")
    assert (folder / "file").read_bytes() == b"written"
