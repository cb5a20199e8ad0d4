"""Sealed sessions and shares ([MS-SMB2] 3.3.5.2.1.1, 3.3.4.1.4): nothing of them can be read."""

import pytest
import trio
from smbprotocol.connection import Ciphers

from smbd.config import ShareConfig
from smbd.ntstatus import NtStatus
from smbd.testing import serve, serve_in_thread
from tests.server.clients import ImpacketClient, PypiClient, SambaClient, refusal, status_of
from tests.server.clients.refusals import REFUSALS, SambaError
from tests.server.tap import SEALED, tapped

SECRET = b"nobody may read this on its way"
CIPHERS = {
    "AES-128-GCM": Ciphers.AES_128_GCM,
    "AES-128-CCM": Ciphers.AES_128_CCM,
    "AES-256-GCM": Ciphers.AES_256_GCM,
    "AES-256-CCM": Ciphers.AES_256_CCM,
}


def keeps_a_secret(client):
    client.put("secret", SECRET)
    assert client.get("secret") == SECRET


async def overheard(folder, connect, **options):
    """What a tap hears of a client that keeps a secret."""
    async with serve(folder, **options) as server, tapped(server) as tap:

        def story():
            with connect(tap.place) as client:
                keeps_a_secret(client)

        await trio.to_thread.run_sync(story)
    assert (folder / "secret").read_bytes() == SECRET
    assert tap.kinds("client").count(SEALED) >= 4
    assert tap.kinds("server").count(SEALED) >= 4
    return tap


@pytest.mark.parametrize("cipher", CIPHERS)
async def test_smbprotocol_seals_with_each_cipher(folder, cipher):
    tap = await overheard(
        folder,
        lambda place: PypiClient(place, "3.1.1", encrypt=True, ciphers=[CIPHERS[cipher]]),
    )
    assert not tap.heard(SECRET)


@pytest.mark.parametrize("cipher", CIPHERS)
async def test_samba_seals_with_each_cipher(folder, cipher):
    tap = await overheard(
        folder,
        lambda place: SambaClient(
            place, "3.1.1", protection="encrypt", client_smb3_encryption_algorithms=cipher
        ),
    )
    assert not tap.heard(SECRET)


@pytest.mark.parametrize("dialect", ["3.0", "3.0.2"])
@pytest.mark.parametrize(
    "connect",
    [
        lambda place, dialect: SambaClient(place, dialect, protection="encrypt"),
        lambda place, dialect: PypiClient(place, dialect, encrypt=True),
        ImpacketClient,
    ],
    ids=["smbclient", "smbprotocol", "impacket"],
)
async def test_on_3_0_x_the_cipher_is_ccm(folder, connect, dialect):
    tap = await overheard(folder, lambda place: connect(place, dialect))
    assert not tap.heard(SECRET)


async def test_impacket_seals_on_3_1_1(folder):
    tap = await overheard(folder, lambda place: ImpacketClient(place, "3.1.1"))
    assert not tap.heard(SECRET)


@pytest.mark.parametrize("encryption", ["desired", "required"])
@pytest.mark.parametrize(
    "connect",
    [PypiClient, SambaClient, ImpacketClient],
    ids=["smbprotocol", "smbclient", "impacket"],
)
async def test_the_server_can_ask_for_it(folder, connect, encryption):
    tap = await overheard(folder, connect, encryption=encryption)
    assert not tap.heard(SECRET)


@pytest.mark.parametrize("encryption", ["off", "desired"])
async def test_desired_still_serves_clients_that_cannot(folder, encryption):
    async with serve(folder, encryption=encryption) as server, tapped(server) as tap:

        def story():
            with PypiClient(tap.place, "2.1") as client:
                keeps_a_secret(client)

        await trio.to_thread.run_sync(story)
    assert SEALED not in tap.kinds("server")


@pytest.mark.parametrize("connect", [PypiClient, ImpacketClient])
def test_required_keeps_out_clients_that_cannot(folder, connect):
    with serve_in_thread(folder, encryption="required") as server:
        with pytest.raises(REFUSALS) as refused:
            connect(server, "2.1")
        assert status_of(refused.value) == "ACCESS_DENIED"


def test_required_keeps_out_a_samba_that_cannot(folder):
    with serve_in_thread(folder, encryption="required") as server:
        with SambaClient(server, "2.1") as client, pytest.raises(SambaError) as refused:
            client.run("ls")
        assert status_of(refused.value) == "ACCESS_DENIED"


async def test_one_share_can_be_sealed_beside_others_that_are_not(folder, tmp_path):
    (tmp_path / "vault").mkdir()
    vault = ShareConfig(name="vault", path=tmp_path / "vault", encryption="required")
    async with serve(folder, shares=[vault]) as server, tapped(server) as tap:

        def story():
            with PypiClient(tap.place) as client:
                client.put("plain", b"everybody may read this")
            with PypiClient(tap.place, share="vault") as client:
                keeps_a_secret(client)

        await trio.to_thread.run_sync(story)
    assert tap.heard(b"everybody may read this")
    assert not tap.heard(SECRET)


def test_a_client_that_cannot_seal_gets_no_sealed_share(folder, tmp_path):
    (tmp_path / "vault").mkdir()
    vault = ShareConfig(name="vault", path=tmp_path / "vault", encryption="required")
    with serve_in_thread(folder, shares=[vault]) as server, PypiClient(server, "2.1") as client:
        assert refusal(client.connect_tree, "vault") == NtStatus.ACCESS_DENIED


async def test_a_sealed_message_that_was_changed_costs_the_connection(folder):
    async with serve(folder) as server, tapped(server) as tap:

        def spoil(sender, frame):
            if sender == "client" and frame[:4] == SEALED:
                return frame[:-1] + bytes([frame[-1] ^ 1])
            return frame

        def story():
            client = PypiClient(tap.place, encrypt=True)
            opened = client.open("file")
            tap.change = spoil
            with pytest.raises(Exception, match="closed"):
                opened.write(SECRET)
            client.connection.disconnect(close=False)

        await trio.to_thread.run_sync(story)
    assert (folder / "file").read_bytes() == b""
