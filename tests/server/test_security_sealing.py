"""Sealed frames as they lie on the wire ([MS-SMB2] 3.3.5.2.1.1, 3.3.4.1.4)."""

from dataclasses import replace
from struct import unpack_from

import pytest

from smbd.config import ShareConfig
from smbd.ntstatus import NtStatus
from smbd.testing import Options, serve
from smbd.testing.setting import Setting
from smbd.testing.trio_ import serving_test
from tests.core import messages
from tests.core.messages import (
    CHANGE_NOTIFY,
    CLOSE,
    CREATE,
    ECHO,
    LOGOFF,
    QUERY_INFO,
    READ,
    SESSION_SETUP,
    SIGNED,
    TREE_CONNECT,
    WRITE,
)
from tests.scripted import SEALED, WINDOWS, connected, frames

CIPHERS = {"AES-128-CCM": 1, "AES-128-GCM": 2, "AES-256-CCM": 3, "AES-256-GCM": 4}
MUST_SEAL = 4  # SESSION_FLAG_ENCRYPT_DATA
SHARE_MUST_SEAL = 0x8000


def only(cipher):
    return (frames.preauth_context(), (frames.ENCRYPTION, frames.counted(cipher)))


@pytest.fixture
async def server(folder):
    """The whole server is sealed."""
    async with serve(folder, encryption="required") as server:
        yield server


@pytest.fixture
async def client(server):
    async with connected(server, WINDOWS) as client:
        await client.connect()
        yield client


@pytest.fixture
async def vault(folder, tmp_path):
    """One share of two is sealed."""
    (tmp_path / "vault").mkdir()
    share = ShareConfig(name="vault", path=tmp_path / "vault", encryption="required")
    async with serve(folder, shares=[share], signing="enabled") as server:
        yield server


@pytest.fixture
async def visitor(vault):
    """Connected to the sealed share."""
    async with connected(vault, WINDOWS) as client:
        await client.negotiate()
        await client.log_in()
        answer = await client.enter("vault")
        assert unpack_from("<I", answer.raw, 68)[0] & SHARE_MUST_SEAL
        yield client


@pytest.mark.parametrize("cipher", CIPHERS)
async def test_each_cipher_there_and_back(server, cipher):
    async with connected(server, WINDOWS) as client:
        await client.connect(contexts=only(CIPHERS[cipher]))
        assert client.peer.cipher_id == CIPHERS[cipher]
        assert client.session.flags == MUST_SEAL
        assert client.peer.answers_in_the_clear == 3  # NEGOTIATE, SESSION_SETUP twice
        file_id = (await client.ask(CREATE, frames.everything("secret"))).file_id
        for size in (1, 31, 4096, 65536):
            data = bytes(range(256)) * (size // 256) + bytes(size % 256)
            assert (await client.ask(WRITE, messages.write(file_id, data))).status == 0
            assert (await client.ask(READ, messages.read(file_id, length=size))).data == data
        assert client.peer.answers_in_the_clear == 3


async def test_nothing_inside_a_sealed_frame_is_signed_once_more(client):
    answer = await client.ask(ECHO)
    assert not answer.flags & SIGNED
    assert answer.raw[48:64] == bytes(16)


async def test_a_signature_inside_a_sealed_frame_is_not_looked_at(client):
    """[MS-SMB2] 3.3.5.2.4: what was sealed needs none; some clients send what they like."""
    request = bytearray(client.peer.request(ECHO, signed=False))
    request[16] |= SIGNED
    request[48:64] = b"not a signature!"
    await client.send(client.peer.sealed(bytes(request)))
    assert (await client.answer()).status == 0


async def test_errors_come_sealed_like_everything_else(client):
    before = client.peer.answers_in_the_clear
    answer = await client.ask(CREATE, frames.create("not there"))
    assert answer.status == NtStatus.OBJECT_NAME_NOT_FOUND
    assert client.peer.answers_in_the_clear == before


async def test_so_do_interim_responses_and_what_follows_them(client):
    root = (await client.ask(CREATE, frames.create(""))).file_id
    before = client.peer.sealed_answers
    waiting = await client.begin(CHANGE_NOTIFY, frames.change_notify(root))
    interim = await client.interim(waiting)
    await client.cancel(waiting, async_id=interim.async_id)
    assert (await client.reply(waiting)).status == NtStatus.CANCELLED
    assert client.peer.sealed_answers == before + 2


async def test_a_sealed_compound_is_answered_sealed(client):
    await client.ask(CREATE, frames.everything("file"))
    before = client.peer.answers_in_the_clear
    answers = await client.ask_related(
        (CREATE, frames.create("file")),
        (QUERY_INFO, frames.query(frames.FILE, frames.STANDARD)),
        (CLOSE, messages.close(messages.PREVIOUS_FILE)),
    )
    assert [one.status for one in answers] == [0, 0, 0]
    assert client.peer.answers_in_the_clear == before


async def test_no_nonce_comes_twice(client):
    nonces = set()
    for _ in range(50):
        await client.send(client.peer.sealed(client.peer.request(ECHO, signed=False)))
        frame = await client.frame()
        assert frame[:4] == SEALED
        nonces.add(frame[20:36])
    assert len(nonces) == 50


# --- what comes in the clear ---


@pytest.mark.parametrize("signed", [True, False])
async def test_a_sealed_session_denies_what_comes_in_the_clear(client, signed):
    for command, body in (
        (TREE_CONNECT, messages.tree_connect(r"\\box\share")),
        (CREATE, frames.create("")),
        (ECHO, messages.EMPTY),
        (LOGOFF, messages.EMPTY),
    ):
        answer = await client.ask(command, body, seal=False, signed=signed)
        assert answer.status == NtStatus.ACCESS_DENIED
    assert (await client.ask(CREATE, frames.create(""))).status == 0


async def test_a_sealed_share_denies_what_comes_in_the_clear(visitor):
    answer = await visitor.ask(CREATE, frames.create(""))
    assert answer.status == NtStatus.ACCESS_DENIED
    assert (await visitor.ask(CREATE, frames.create(""), seal=True)).status == 0


async def test_the_share_beside_it_takes_either(visitor):
    await visitor.enter("share")
    assert (await visitor.ask(CREATE, frames.create(""))).status == 0
    assert (await visitor.ask(CREATE, frames.create(""), seal=True)).status == 0


async def test_a_compound_in_the_clear_finds_every_part_of_it_denied(visitor):
    answers = await visitor.ask_related(
        (CREATE, frames.create("")), (QUERY_INFO, frames.query(2, frames.FS_ATTRIBUTE))
    )
    assert [one.status for one in answers] == [NtStatus.ACCESS_DENIED] * 2


async def test_a_reauthentication_of_a_sealed_session_may_come_in_the_clear(client):
    """Samba's clients sign a SESSION_SETUP and never seal it."""
    assert (await client.log_in(again=client.session)).status == 0
    assert (await client.ask(CREATE, frames.create(""))).status == 0


# --- who cannot seal ---


@pytest.mark.parametrize("contexts", [(frames.preauth_context(),), only(99)])
async def test_a_client_without_a_cipher_is_not_even_asked_for_a_password(server, contexts):
    async with connected(server, WINDOWS) as client:
        await client.negotiate(contexts=contexts)
        answer = await client.ask(SESSION_SETUP, messages.session_setup(b"whatever"))
        assert answer.status == NtStatus.ACCESS_DENIED


@pytest.mark.parametrize("dialect", [0x0202, 0x0210])
async def test_nor_is_a_client_of_a_dialect_without(server, dialect):
    async with connected(server, WINDOWS) as client:
        await client.negotiate((dialect,))
        answer = await client.ask(SESSION_SETUP, messages.session_setup(b"whatever"))
        assert answer.status == NtStatus.ACCESS_DENIED


async def test_on_3_0_x_the_capability_says_whether_a_client_can(server):
    for capabilities, status in ((0x3F, NtStatus.ACCESS_DENIED), (0x7F, 0)):
        async with connected(server, WINDOWS) as client:
            await client.negotiate((0x0300, 0x0302), capabilities=capabilities)
            assert (await client.log_in()).status == status
            if not status:
                assert (await client.enter()).status == 0


async def test_a_guest_has_no_key_to_seal_with(folder):
    # No shares.toml may say so, but the server does not rely on that.
    with Setting(folder, Options(guest=True)) as setting:
        of_server = replace(setting.config.server, encryption="required")
        setting.config = replace(setting.config, server=of_server)
        async with serving_test(setting) as server, connected(server, WINDOWS) as client:
            await client.negotiate()
            assert (await client.log_in("guest", "")).status == NtStatus.ACCESS_DENIED


async def test_desired_seals_for_clients_that_can_and_serves_the_others(folder):
    async with serve(folder, encryption="desired") as server:
        async with connected(server, WINDOWS) as can, connected(server, WINDOWS) as cannot:
            await can.connect()
            assert can.session.flags == MUST_SEAL
            answer = await can.ask(ECHO, seal=False)
            assert answer.status == NtStatus.ACCESS_DENIED
            await cannot.connect(contexts=(frames.preauth_context(),))
            assert cannot.session.flags == 0
            assert (await cannot.ask(CREATE, frames.create(""))).status == 0


async def test_off_still_opens_what_a_client_seals_of_its_own_will(folder):
    async with serve(folder) as server, connected(server, WINDOWS) as client:
        await client.connect()
        assert client.session.flags == 0
        before = client.peer.answers_in_the_clear
        assert (await client.ask(CREATE, frames.create(""), seal=True)).status == 0
        assert client.peer.answers_in_the_clear == before


# --- what costs the connection ---


@pytest.mark.parametrize("place", [4, 20, 36, 42, 44, 52, -1])
async def test_whatever_is_changed_in_a_sealed_frame(client, place):
    frame = bytearray(client.peer.sealed(client.peer.request(ECHO, signed=False)))
    frame[place] ^= 1
    await client.send(bytes(frame))
    assert await client.hung_up()


async def test_a_sealed_frame_that_comes_again(client):
    frame = client.peer.sealed(client.peer.request(ECHO, signed=False))
    await client.send(frame)
    assert (await client.answer()).status == 0
    await client.send(frame)
    assert await client.hung_up()


async def test_a_sealed_frame_in_a_sealed_frame(client):
    await client.send(
        client.peer.sealed(client.peer.sealed(client.peer.request(ECHO, signed=False)))
    )
    assert await client.hung_up()


async def test_one_session_that_seals_for_another(client):
    first = client.session
    await client.log_in()
    await client.send(client.peer.sealed(client.peer.request(ECHO, signed=False), first))
    assert await client.hung_up()


async def test_what_is_sealed_for_a_session_that_has_ended(client):
    assert (await client.ask(LOGOFF)).status == 0
    await client.send(client.peer.sealed(client.peer.request(ECHO, signed=False)))
    assert await client.hung_up()


async def test_what_is_sealed_for_a_guest(folder):
    async with serve(folder, guest=True, signing="enabled") as server:
        async with connected(server, WINDOWS) as guest, connected(server, WINDOWS) as user:
            await user.connect()
            await guest.negotiate()
            assert (await guest.log_in("guest", "")).status == 0
            guest.session.sealer = user.session.sealer
            await guest.send(guest.peer.sealed(guest.peer.request(ECHO)))
            assert await guest.hung_up()


async def test_a_sealed_frame_where_no_cipher_was_agreed_on(folder):
    async with serve(folder) as server, connected(server, WINDOWS) as client:
        await client.connect(contexts=(frames.preauth_context(),))
        await client.send(SEALED + bytes(40) + client.session.session_id.to_bytes(8, "little")
                          + client.peer.request(ECHO))  # fmt: skip
        assert await client.hung_up()


async def test_a_sealed_frame_without_a_message(client):
    await client.send(client.peer.sealed(b""))
    assert await client.hung_up()
