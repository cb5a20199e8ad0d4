"""NEGOTIATE's contexts, and who tries to bend what was agreed on ([MS-SMB2] 3.3.5.4)."""

from struct import pack, unpack_from

import pytest

from smbd.config import Limits
from smbd.ntstatus import NtStatus
from smbd.testing import serve
from tests.core import messages
from tests.core.messages import ECHO, IOCTL, NEGOTIATE
from tests.scripted import ALL_DIALECTS, WINDOWS, connected, frames, windows_contexts
from tests.scripted.frames import (
    COMPRESSION,
    ENCRYPTION,
    NETNAME,
    PREAUTH,
    RDMA,
    SIGNING,
    TRANSPORT,
)

PLAIN = frames.preauth_context()
CIPHER = (ENCRYPTION, frames.counted(2))
SIGNER = (SIGNING, frames.counted(2))


@pytest.fixture
async def server(folder):
    async with serve(folder) as server:
        yield server


@pytest.fixture
async def client(server):
    async with connected(server, WINDOWS) as client:
        yield client


async def test_what_windows_offers_is_answered_with_our_best_and_nothing_that_we_lack(client):
    answer = await client.negotiate()
    assert client.peer.dialect == 0x0311
    assert set(client.peer.contexts) == {PREAUTH, ENCRYPTION, SIGNING}
    assert client.peer.contexts[ENCRYPTION] == frames.counted(2)
    assert client.peer.contexts[SIGNING] == frames.counted(2)
    count, salt_length, algorithm = unpack_from("<HHH", client.peer.contexts[PREAUTH])
    assert (count, salt_length, algorithm) == (1, 32, 1)
    assert answer.raw[66] == 3  # signing enabled and required


async def test_two_connections_get_two_salts(server):
    salts = set()
    for _ in range(2):
        async with connected(server, WINDOWS) as client:
            await client.negotiate()
            salts.add(client.peer.contexts[PREAUTH][6:])
    assert len(salts) == 2


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [((1, 2, 3, 4), 2), ((3, 4), 4), ((1, 3), 1), ((3,), 3), ((4,), 4), ((9,), 0), ((9, 1), 1)],
)
async def test_our_favourite_cipher_of_those_offered_or_none(client, offered, chosen):
    await client.negotiate(contexts=(PLAIN, (ENCRYPTION, frames.counted(*offered))))
    assert client.peer.contexts[ENCRYPTION] == frames.counted(chosen)


@pytest.mark.parametrize(
    ("offered", "chosen"), [((0, 1, 2), 2), ((1, 0), 1), ((0,), 0), ((7,), None), ((7, 0), 0)]
)
async def test_our_favourite_signature_of_those_offered(client, offered, chosen):
    await client.negotiate(contexts=(PLAIN, (SIGNING, frames.counted(*offered))))
    told = client.peer.contexts.get(SIGNING)
    assert told == (None if chosen is None else frames.counted(chosen))


async def test_where_no_signature_is_common_it_is_cmac(client):
    await client.connect(contexts=(PLAIN, (SIGNING, frames.counted(7))))
    assert client.peer.signing == 1  # and `arrive` has checked signatures made with it


async def test_contexts_may_come_in_any_order_and_unknown_ones_more_than_once(client):
    unknown = (0x7777, b"whatever")
    posix = (frames.POSIX, bytes(16))
    answer = await client.negotiate(contexts=(unknown, SIGNER, posix, CIPHER, unknown, PLAIN))
    assert answer.status == 0
    assert set(client.peer.contexts) == {PREAUTH, ENCRYPTION, SIGNING}


KNOWN = {
    "preauthentication": PLAIN,
    "encryption": CIPHER,
    "compression": frames.compression_context(1),
    "netname": frames.netname_context("box"),
    "transport": (TRANSPORT, pack("<I", 1)),
    "rdma": frames.rdma_context(1),
    "signing": SIGNER,
}


@pytest.mark.parametrize("name", KNOWN)
async def test_a_known_context_comes_once(client, name):
    answer = await client.negotiate(contexts=(PLAIN, KNOWN[name], KNOWN[name]))
    assert answer.status == NtStatus.INVALID_PARAMETER


BROKEN = {
    "no preauthentication": (CIPHER, SIGNER),
    "no context at all": (),
    "no hash": ((PREAUTH, pack("<HH", 0, 0)),),
    "a hash that is not there": ((PREAUTH, pack("<HH", 2, 0)),),
    "a salt that is not there": ((PREAUTH, pack("<HHH", 1, 32, 1)),),
    "an empty list of ciphers": (PLAIN, (ENCRYPTION, frames.counted())),
    "ciphers that are not there": (PLAIN, (ENCRYPTION, pack("<HH", 4, 1))),
    "an empty list of signatures": (PLAIN, (SIGNING, frames.counted())),
    "a signing context without a count": (PLAIN, (SIGNING, b"")),
    "an empty list of compressions": (PLAIN, (COMPRESSION, pack("<HHI", 0, 0, 0))),
    "a compression context cut short": (PLAIN, (COMPRESSION, b"\1\0")),
}


@pytest.mark.parametrize("name", BROKEN)
async def test_a_context_that_cannot_be_read_is_refused(client, name):
    answer = await client.negotiate(contexts=BROKEN[name])
    assert answer.status == NtStatus.INVALID_PARAMETER


async def test_another_hash_than_sha_512_is_not_known(client):
    answer = await client.negotiate(contexts=((PREAUTH, pack("<HHH", 1, 0, 2)),))
    assert answer.status == NtStatus.NO_PREAUTH_INTEGRITY_HASH_OVERLAP


async def test_nothing_of_a_refused_negotiate_is_left_over(folder, client):
    """A cipher of 3.1.1 would make no sense on 2.1."""
    bad = (PLAIN, CIPHER, SIGNER, (COMPRESSION, b""))
    assert (await client.negotiate(contexts=bad)).status == NtStatus.INVALID_PARAMETER
    assert (await client.negotiate((0x0210,), message_id=1)).status == 0
    assert (await client.log_in()).status == 0
    assert (await client.enter()).status == 0


async def test_contexts_of_a_client_that_does_not_speak_3_1_1_are_no_contexts(client):
    answer = await client.negotiate((0x0300, 0x0302), contexts=(CIPHER, CIPHER))
    assert answer.status == 0
    assert client.peer.dialect == 0x0302


async def test_compression_transport_and_rdma_are_declined_and_all_works(client):
    extra = (*windows_contexts(), (TRANSPORT, pack("<I", 1)))
    await client.connect(contexts=extra)
    assert not {COMPRESSION, TRANSPORT, RDMA, NETNAME} & set(client.peer.contexts)
    assert (await client.ask(ECHO)).status == 0


async def test_something_compressed_all_the_same_costs_the_connection(client):
    await client.connect()
    await client.send(b"\xfcSMB" + bytes(100))
    assert await client.hung_up()


@pytest.mark.parametrize("dialects", [(0x0202,), (0x0210,), (0x0302,), ALL_DIALECTS])
async def test_a_second_negotiate_costs_the_connection(client, dialects):
    await client.negotiate(dialects)
    await client.send(client.peer.request(NEGOTIATE, messages.negotiate(dialects, (PLAIN,))))
    assert await client.hung_up()


async def test_a_second_negotiate_costs_a_session_its_connection_too(client):
    await client.connect()
    body = messages.negotiate(ALL_DIALECTS, windows_contexts())
    await client.send(client.peer.request(NEGOTIATE, body))
    assert await client.hung_up()


async def test_multi_protocol_then_3_1_1_is_one_login_with_the_right_hash(client):
    """The preauthentication hash begins with SMB2's own NEGOTIATE: `log_in` checks the keys."""
    await client.send(frames.smb1_negotiate("NT LM 0.12", "SMB 2.002", "SMB 2.???"))
    answer = await client.answer()
    assert unpack_from("<H", answer.raw, 68)[0] == 0x02FF
    assert (await client.negotiate(message_id=1)).status == 0
    assert (await client.log_in()).status == 0
    assert (await client.enter()).status == 0


async def test_a_second_smb1_negotiate_costs_the_connection(client):
    await client.send(frames.smb1_negotiate("SMB 2.???"))
    await client.answer()
    await client.send(frames.smb1_negotiate("SMB 2.???"))
    assert await client.hung_up()


# --- VALIDATE_NEGOTIATE_INFO ([MS-SMB2] 3.3.5.15.12) ---

GUID = b"scripted client!"


def validate(dialects=(0x0300, 0x0302), *, capabilities=0x7F, guid=GUID, mode=1):
    return pack(f"<I16sHH{len(dialects)}H", capabilities, guid, mode, len(dialects), *dialects)


@pytest.mark.parametrize("share", ["IPC$", "share"])
@pytest.mark.parametrize("dialect", [0x0300, 0x0302])
async def test_an_honest_one_is_confirmed_on_whatever_tree(client, dialect, share):
    await client.connect(share, dialects=(dialect,))
    body = frames.ioctl(frames.VALIDATE_NEGOTIATE_INFO, data=validate((dialect,)), most=24)
    answer = await client.ask(IOCTL, body)
    assert answer.status == 0
    assert answer.flags & messages.SIGNED
    capabilities, _, mode, told = unpack_from("<I16sHH", answer.ioctl_output)
    assert (capabilities, mode, told) == (client.peer.capabilities, 3, dialect)


@pytest.mark.parametrize(
    "lie",
    [
        {"dialects": (0x0302,)},
        {"dialects": (0x0302, 0x0300)},
        {"capabilities": 0x3F},
        {"guid": b"another client!!"},
        {"mode": 3},
    ],
    ids=lambda lie: next(iter(lie)),
)
async def test_any_difference_costs_the_connection(client, lie):
    await client.connect(dialects=(0x0300, 0x0302))
    body = frames.ioctl(frames.VALIDATE_NEGOTIATE_INFO, data=validate(**lie), most=24)
    await client.send(client.peer.request(IOCTL, body))
    assert await client.hung_up()


async def test_so_does_too_little_room_for_the_answer(client):
    await client.connect(dialects=(0x0300, 0x0302))
    body = frames.ioctl(frames.VALIDATE_NEGOTIATE_INFO, data=validate(), most=23)
    await client.send(client.peer.request(IOCTL, body))
    assert await client.hung_up()


async def test_on_3_1_1_the_question_itself_does(client):
    await client.connect()
    body = frames.ioctl(frames.VALIDATE_NEGOTIATE_INFO, data=validate(ALL_DIALECTS), most=24)
    await client.send(client.peer.request(IOCTL, body))
    assert await client.hung_up()


# --- unauthenticated clients ---


async def test_an_unauthenticated_client_may_send_small_frames_only(client):
    await client.negotiate()
    await client.send(client.peer.request(ECHO, bytes(70000)))
    assert await client.hung_up()


async def test_a_client_that_is_logged_in_may_send_large_ones(folder):
    limits = Limits(max_write=1 << 20, max_transact=1 << 20, max_read=1 << 20)
    async with serve(folder, limits=limits) as server, connected(server, WINDOWS) as client:
        await client.connect()
        file_id = (await client.ask(messages.CREATE, frames.everything("large"))).file_id
        body = messages.write(file_id, bytes(1 << 16))
        assert (await client.ask(messages.WRITE, body)).status == 0
        body = messages.write(file_id, bytes(1 << 20))
        assert (await client.ask(messages.WRITE, body, charge=16)).status == 0
        await client.stream.send_all(pack(">I", 3 << 20) + bytes(100))
        assert await client.hung_up()
