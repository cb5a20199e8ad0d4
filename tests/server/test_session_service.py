"""NetBIOS' session service ([RFC1002] 4.3): what is left of it on the way to SMB2."""

import smbd.testing
from tests.core import messages
from tests.core.messages import ECHO
from tests.scripted import connected

POSITIVE_SESSION_RESPONSE = b"\x82\0\0\0"
KEEP_ALIVE = b"\x85\0\0\0"


def session_request(called=b"BOX", calling=b"CLIENT"):
    """Two NetBIOS names, each half a byte a letter."""
    names = b""
    for name in (called, calling):
        padded = name.ljust(16)
        letters = bytes(0x41 + half for byte in padded for half in (byte >> 4, byte & 15))
        names += b"\x20" + letters + b"\0"
    return b"\x81\0" + len(names).to_bytes(2, "big") + names


async def test_a_session_request_is_granted_and_smb2_follows(tmp_path):
    async with smbd.testing.serve(tmp_path) as server, connected(server) as client:
        await client.stream.send_all(session_request())
        assert await client.stream.receive_some(100) == POSITIVE_SESSION_RESPONSE
        await client.connect()
        assert await client.works()


async def test_a_session_request_may_come_in_pieces(tmp_path):
    async with smbd.testing.serve(tmp_path) as server, connected(server) as client:
        for byte in session_request():
            await client.stream.send_all(bytes([byte]))
        assert await client.stream.receive_some(100) == POSITIVE_SESSION_RESPONSE


async def test_a_keep_alive_has_no_answer(tmp_path):
    async with smbd.testing.serve(tmp_path) as server, connected(server) as client:
        await client.stream.send_all(KEEP_ALIVE)
        await client.connect()
        request = client.peer.request(ECHO, messages.EMPTY)
        await client.stream.send_all(KEEP_ALIVE * 3 + len(request).to_bytes(4, "big") + request)
        assert (await client.answer()).command == ECHO
        assert await client.works()
