"""The frames of Linux's cifs.ko from mount to umount; tests/conformance has the kernel itself."""

from struct import unpack_from

import pytest

from smbd.ntstatus import NtStatus
from smbd.testing import serve
from tests.core import messages
from tests.core.messages import (
    CLOSE,
    CREATE,
    IOCTL,
    LOGOFF,
    PREVIOUS_FILE,
    QUERY_INFO,
    SET_INFO,
    SIGNED,
    TREE_CONNECT,
    TREE_DISCONNECT,
)
from tests.scripted import WINDOWS, Bare, connected, frames
from tests.scripted.frames import FILE, FILE_SYSTEM

# NTLMSSP_NEGOTIATE_ SIGN, NTLM, ALWAYS_SIGN, EXTENDED_SESSIONSECURITY, 128
WANTED = 0x10 | 0x200 | 0x8000 | 0x80000 | 0x20000000
CLOSE_PREVIOUS = (CLOSE, messages.close(PREVIOUS_FILE))
POSIX = (frames.POSIX, bytes.fromhex("93ad25509cb411e7b42383de968bcd7c"))


@pytest.fixture
async def server(folder):
    (folder / "file").write_bytes(b"data")
    async with serve(folder, signing="enabled") as server:
        yield server


async def mounted(client):
    """Up to the tree connects; sealing would be offered, signing is by CMAC (`vers=3.1.1`)."""
    contexts = (
        frames.preauth_context(),
        (frames.ENCRYPTION, frames.counted(2, 4, 1)),
        frames.netname_context("127.0.0.1"),
        POSIX,
    )
    answer = await client.negotiate((0x0210, 0x0300, 0x0302, 0x0311), contexts)
    assert answer.status == 0
    assert POSIX[0] not in client.peer.contexts  # no POSIX extensions: it goes on without
    # `sec=ntlmssp`: bare NTLMSSP, and a CHALLENGE that must have certain flags.
    bare = Bare("test", "test")
    assert (await client.log_in(context=bare)).status == 0
    assert unpack_from("<I", bare.challenge, 20)[0] & WANTED == WANTED


async def test_mount_look_and_umount(server):
    async with connected(server, WINDOWS) as client:
        await mounted(client)
        assert (await client.enter("IPC$")).status == 0
        ipc = client.session.tree_id
        assert (await client.enter()).status == 0
        tree = client.session.tree_id
        # Without `sign` nothing after the tree connect is signed, and nothing need be.
        for code, status in (
            (frames.QUERY_NETWORK_INTERFACE_INFO, NtStatus.NOT_SUPPORTED),
            (frames.DFS_GET_REFERRALS, NtStatus.FS_DRIVER_REQUIRED),
        ):
            answer = await client.ask(IOCTL, frames.ioctl(code), tree_id=ipc, signed=False)
            assert answer.status == status
            assert not answer.flags & SIGNED
        root = (await client.ask(CREATE, frames.create("", access=0x80), signed=False)).file_id
        for info_class in (
            frames.FS_ATTRIBUTE, frames.FS_DEVICE, frames.FS_VOLUME, frames.FS_SECTOR_SIZE,
        ):  # fmt: skip
            body = frames.query(FILE_SYSTEM, info_class, root)
            assert (await client.ask(QUERY_INFO, body, signed=False)).status == 0
        assert (await client.ask(CLOSE, messages.close(root), signed=False)).status == 0
        await stat_and_touch(client)
        for answer in (
            await client.ask(TREE_DISCONNECT, tree_id=tree, signed=False),
            await client.ask(TREE_DISCONNECT, tree_id=ipc, signed=False),
            await client.ask(LOGOFF, tree_id=0, signed=False),
        ):
            assert answer.status == 0
        assert server.server.document()["sessions"] == []


async def stat_and_touch(client):
    """CREATE, QUERY_INFO or SET_INFO, CLOSE in one frame each."""
    answers = await client.ask_related(
        (CREATE, frames.create("file", access=0x00100080, options=0x00200000)),
        (QUERY_INFO, frames.query(FILE, frames.ALL)),
        CLOSE_PREVIOUS,
        signed=False,
    )
    assert [one.status for one in answers] == [0, 0, 0]
    assert unpack_from("<Q", answers[1].output, 64)[0] != 0  # the inode: `serverino`
    answers = await client.ask_related(
        (CREATE, frames.create("file", access=0x100)),
        (SET_INFO, messages.set_info(PREVIOUS_FILE, frames.BASIC, bytes(40))),
        CLOSE_PREVIOUS,
        signed=False,
    )
    assert [one.status for one in answers] == [0, 0, 0]


async def test_a_tree_connect_that_is_not_signed_costs_the_connection(server):
    """[MS-SMB2] 3.3.5.7: cifs.ko signs this one, with or without `sign`."""
    async with connected(server, WINDOWS) as client:
        await mounted(client)
        body = messages.tree_connect(r"\\127.0.0.1\share")
        await client.send(client.peer.request(TREE_CONNECT, body, signed=False))
        assert await client.hung_up()


async def test_a_mount_that_comes_back_after_its_server_was_away(server):
    """It proves itself with PreviousSessionId and opens its files again by name."""
    async with connected(server, WINDOWS) as before, connected(server, WINDOWS) as after:
        await before.connect()
        assert (await before.ask(CREATE, frames.everything("file", share=0))).status == 0
        await after.negotiate()
        assert (await after.log_in(previous=before.session.session_id)).status == 0
        await after.enter()
        assert (await after.ask(CREATE, frames.everything("file", share=0))).status == 0
