"""Sealing: Microsoft's worked examples, smbprotocol as a peer, and forgeries.

The examples are those of "Encryption in SMB 3.0: a protocol perspective" and "SMB 3.1.1
Encryption in Windows 10" (Open Specifications blog): a WRITE of a client and its response.
"""

from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from smbprotocol.connection import Connection, SMB2TransformHeader

from smbd.crypto import (
    AES_128_CCM,
    AES_128_GCM,
    AES_256_CCM,
    AES_256_GCM,
    CIPHERS,
    Sealer,
    derive_keys,
    sealing,
    transform_session_id,
)
from smbd.ntstatus import ProtocolError

SESSION_ID = 0x0000100000000025
SIZES = [0, 1, 64, 4096, 0x20000, 0x20001, 300_000]


def pair(cipher_id: int) -> tuple[Sealer, Sealer]:
    """Server and client of one session."""
    length = 32 if cipher_id in {AES_256_CCM, AES_256_GCM} else 16
    downward, upward = b"d" * length, b"u" * length
    return Sealer(cipher_id, downward, upward), Sealer(cipher_id, upward, downward)


def sealed(sealer: Sealer, *parts: bytes) -> bytearray:
    return bytearray(b"".join(sealer.seal(SESSION_ID, parts)))


def test_windows_example_of_3_0_opens():
    keys = derive_keys(0x0300, bytes.fromhex("B4546771B515F766A86735532DD6C4F0"))
    assert keys.decryption.hex().upper() == "261B72350558F2E9DCF613070383EDBF"
    assert keys.encryption.hex().upper() == "8FE2B57EC34D2DB5B1A9727F526BBDB5"
    server = Sealer(AES_128_CCM, keys.encryption, keys.decryption)
    request = bytes.fromhex(
        "FD534D4281A286535415445DAE393921E44FA42E66E69A111892584FB5ED524A"
        "744DA3EE87000000000001001100001400E4080025C8FEE16605A437832D1CD5"
        "2DA9F4645333482A175FE5384563F45FCDAFAEF38BC62BA4D5C62897996625A4"
        "4C29BE5658DE2E6117585779E7B59FFD971278D08580D7FA899E410E910EABF5"
        "AA1DB43050B33B49182637759AC15D84BFCDF5B6B238993C0F4CF4D6012023F6"
        "C627297075D84B7803912D0A9639634453595EF3E33FFE4E7AC2AB"
    )
    assert server.open(memoryview(request)).hex().upper() == (
        "FE534D4240000100000000000900400008000000000000000400000000000000"
        "FFFE0000010000001100001400E4080000000000000000000000000000000000"
        "3100700017000000000000000000000015010000390000020100000039020000"
        "00000000000000007000000000000000536D623320656E6372797074696F6E20"
        "74657374696E67"
    )
    assert transform_session_id(request) == 0x0008E40014000011


def test_windows_example_of_3_1_1_opens():
    keys = derive_keys(
        0x0311,
        bytes.fromhex("419FDDF34C1E001909D362AE7FB6AF79"),
        bytes.fromhex(
            "B23F3CBFD69487D9832B79B1594A367CDD950909B774C3A4C412B4FCEA9EDDDB"
            "A7DB256BA2EA30E977F11F9B113247578E0E915C6D2A513B8F2FCA5707DC8770"
        ),
        AES_128_GCM,
    )
    assert keys.decryption.hex().upper() == "A2F5E80E5D59103034F32E52F698E5EC"
    assert keys.encryption.hex().upper() == "748C50868C90F302962A5C35F5F9A8BF"
    # The response, as the client opens it: its opening key is the server's sealing key.
    client = Sealer(AES_128_GCM, keys.decryption, keys.encryption)
    response = bytes.fromhex(
        "FD534D42ACBE1CB7ED343ADF1725EF144D90D4B0E06831DD2E8EB7B4000000000000000050000000"
        "00000100250000000010000026BBBF949983A6C1C796559D0F2C510CB651D1F7B6AC8DED32A2A0B8"
        "F2D793A815C6F6B848D69767A215841A42D400AE6DDB5F0B44173A014973321FDD7950DA6179159B"
        "82E03C9E18A050FF0EA1C967"
    )
    assert client.open(memoryview(response)).hex().upper() == (
        "FE534D4240000100000000000900010001000000000000000500000000000000FFFE000001000000"
        "25000000001000000000000000000000000000000000000011000000170000000000000000000000"
    )


@pytest.mark.parametrize("cipher_id", CIPHERS)
@pytest.mark.parametrize("size", SIZES)
def test_what_the_server_seals_the_client_opens_and_back(cipher_id, size):
    server, client = pair(cipher_id)
    plain = bytes(i & 0xFF for i in range(size))
    assert client.open(memoryview(sealed(server, plain))) == plain
    assert server.open(memoryview(sealed(client, plain[:10], b"", plain[10:]))) == plain


@pytest.fixture(params=["in place", "as cryptography 42 does"])
def _cryptography(request, monkeypatch):
    monkeypatch.setattr(sealing, "_SEALS_IN_PLACE", request.param == "in place")


@pytest.mark.usefixtures("_cryptography")
@pytest.mark.parametrize("cipher_id", CIPHERS)
@pytest.mark.parametrize("size", SIZES)
def test_a_frame_that_is_sealed_has_its_length_before_it(cipher_id, size):
    server, client = pair(cipher_id)
    plain = bytes(i & 0xFF for i in range(size))
    frame = b"".join(server.seal_frame(SESSION_ID, bytearray(4) + plain))
    assert int.from_bytes(frame[:4], "big") == len(frame) - 4 == 52 + size
    assert client.open(memoryview(frame[4:])) == plain


def test_a_frame_is_sealed_in_the_storage_that_it_has():
    server, _ = pair(AES_128_GCM)
    frame = bytearray(4) + bytes(300_000)
    _, sealed_part = server.seal_frame(SESSION_ID, frame)
    assert sealed_part.obj is frame


@pytest.mark.parametrize("cipher_id", [AES_128_GCM, AES_256_GCM])
def test_a_long_frame_is_opened_where_it_lies_unless_it_cannot_be_written_to(cipher_id):
    server, client = pair(cipher_id)
    plain = bytes(i & 0xFF for i in range(300_000))
    frame = sealed(client, plain)
    as_it_came = bytes(frame)
    assert server.open(memoryview(as_it_came)) == plain
    assert as_it_came == frame
    opened = server.open(memoryview(frame))
    assert opened == plain
    assert opened.obj is frame


@pytest.mark.parametrize("cipher_id", CIPHERS)
@pytest.mark.parametrize("size", [64, 100_000])
def test_smbprotocol_opens_what_we_seal_and_we_what_it_seals(cipher_id, size):
    server, _ = pair(cipher_id)
    length = 32 if cipher_id in {AES_256_CCM, AES_256_GCM} else 16
    session = SimpleNamespace(
        session_id=SESSION_ID, encryption_key=b"u" * length, decryption_key=b"d" * length
    )
    peer = SimpleNamespace(dialect=0x0311, cipher_id=cipher_id, session_table={SESSION_ID: session})
    header = SMB2TransformHeader()
    header.unpack(bytes(sealed(server, bytes(size))))
    assert Connection._decrypt(peer, header) == bytes(size)
    request = Connection._encrypt(peer, b"r" * size, session).pack()
    assert server.open(memoryview(request)) == b"r" * size


@pytest.mark.parametrize("cipher_id", CIPHERS)
def test_the_header_says_what_the_specification_asks_for(cipher_id):
    server, _ = pair(cipher_id)
    header = bytes(server.seal(SESSION_ID, [b"abc", b"de"])[0])
    assert len(header) == 52
    assert header[:4] == b"\xfdSMB"
    unused = 16 - (12 if cipher_id in {AES_128_GCM, AES_256_GCM} else 11)
    assert header[36 - unused : 36] == bytes(unused)
    assert header[36:44] == b"\x05\0\0\0" + b"\0\0" + b"\x01\0"
    assert transform_session_id(header) == SESSION_ID


@pytest.mark.parametrize("cipher_id", CIPHERS)
def test_no_nonce_comes_twice_and_two_sessions_begin_differently(cipher_id):
    server, _ = pair(cipher_id)
    nonces = {bytes(server.seal(SESSION_ID, [b"same"])[0][20:36]) for _ in range(300)}
    assert len(nonces) == 300
    prefix = 4 if cipher_id in {AES_128_GCM, AES_256_GCM} else 3
    assert len({nonce[:prefix] for nonce in nonces}) == 1
    counters = {int.from_bytes(nonce[prefix : prefix + 8], "little") for nonce in nonces}
    assert counters == set(range(300))
    others = {bytes(Sealer(cipher_id, b"k" * 16, b"k" * 16).seal(1, [b""])[0]) for _ in range(9)}
    assert len({header[20 : 20 + prefix] for header in others}) > 1


@pytest.mark.parametrize("cipher_id", CIPHERS)
@pytest.mark.parametrize("size", [64, 140_000])
def test_any_changed_byte_is_refused(cipher_id, size):
    server, client = pair(cipher_id)
    frame = sealed(client, bytes(size))
    for at in [*range(52), 52, 52 + size // 2, 51 + size]:
        changed = bytearray(frame)
        changed[at] ^= 0x40
        with pytest.raises(ProtocolError):
            server.open(memoryview(changed))
    assert server.open(memoryview(frame)) == bytes(size)


def test_a_message_of_the_server_does_not_open_as_one_of_the_client():
    server, _ = pair(AES_128_GCM)
    with pytest.raises(ProtocolError):
        server.open(memoryview(sealed(server, b"reflected")))


@pytest.mark.parametrize("cipher_id", CIPHERS)
@settings(deadline=None)
@given(frame=st.binary(max_size=120) | st.binary(max_size=80).map(lambda rest: b"\xfdSMB" + rest))
def test_any_bytes_are_refused_with_protocol_error_only(cipher_id, frame):
    server, _ = pair(cipher_id)
    with pytest.raises(ProtocolError):
        server.open(memoryview(frame))


def test_the_session_id_of_a_stump_is_a_protocol_error():
    with pytest.raises(ProtocolError):
        transform_session_id(b"\xfdSMB" + bytes(47))
