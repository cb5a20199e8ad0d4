"""A client that begins in SMB1's words is answered in SMB2's ([MS-SMB2] 3.3.5.3)."""

import pytest
import trio

from smbd.testing import serve
from smbd.wire.header import Command
from tests.scripted import connected
from tests.scripted.frames import smb1_negotiate
from tests.server.clients import ImpacketClient, SambaClient
from tests.server.clients.refusals import SambaError
from tests.server.tap import PLAIN, SMB1, tapped

WILDCARD = 0x02FF


def dialect_of(message):
    """DialectRevision of a NEGOTIATE response."""
    return int.from_bytes(message.data[68:70], "little")


def samba_from_smb1(place, **options):
    return SambaClient(place, client_min_protocol="NT1", client_max_protocol="SMB3_11", **options)


@pytest.mark.parametrize("client", [ImpacketClient, samba_from_smb1])
async def test_a_multi_protocol_negotiate_is_answered_and_followed_by_smb2s_own(folder, client):
    async with serve(folder) as server, tapped(server) as tap:

        def story():
            with client(tap.place) as connected:
                connected.put("file", b"after all")
                assert connected.get("file") == b"after all"

        await trio.to_thread.run_sync(story)
        said = tap.kinds("client")
        assert said[0] == SMB1
        assert PLAIN in said
        answers = [
            dialect_of(one)
            for one in tap.messages()
            if one.sender == "server" and one.command == Command.NEGOTIATE
        ]
        assert answers[:2] == [WILDCARD, 0x0311]


async def test_where_the_server_speaks_2_0_2_only_the_first_answer_is_the_last(folder):
    async with serve(folder, max_dialect="2.0.2") as server, tapped(server) as tap:

        def story():
            with ImpacketClient(tap.place) as connected:
                connected.put("file", b"after all")
                assert connected.get("file") == b"after all"

        await trio.to_thread.run_sync(story)
        negotiations = [one for one in tap.messages() if one.command == Command.NEGOTIATE]
        assert [one.sender for one in negotiations] == ["server"]
        assert dialect_of(negotiations[0]) == 0x0202


async def test_a_client_that_speaks_smb1_only_is_told_that_there_is_no_common_dialect(folder):
    frame = smb1_negotiate("NT LM 0.12")
    async with serve(folder) as server, connected(server) as client:
        await client.send(frame)
        answer = b"".join([part async for part in client.stream])
        assert answer[:9] == b"\0\0\0\x25\xffSMB\x72"
        assert answer[4 + 9] & 0x80, "SMB_FLAGS_REPLY"
        assert answer[4 + 32 :] == b"\1\xff\xff\0\0"


async def test_samba_s_client_that_may_speak_smb1_only_gives_up(folder):
    async with serve(folder) as server, tapped(server) as tap:

        def story():
            with SambaClient(tap.place, "SMB1") as client, pytest.raises(SambaError):
                client.run("ls")

        await trio.to_thread.run_sync(story)
        assert tap.kinds("client") == [SMB1]
        assert tap.kinds("server") == [SMB1]
