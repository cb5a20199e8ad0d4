"""Signatures: known answers, other people's implementations, and what a change must do."""

from types import SimpleNamespace

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st
from impacket import crypto as impacket_crypto
from smbprotocol.connection import Connection

from smbd.crypto import AES_CMAC, AES_GMAC, HMAC_SHA256, SIGNERS, make_signer, signing_algorithm

from . import windows

KEY = bytes(range(16))
CANCEL, READ = 0x000C, 0x0008
RESPONSE = 0x00000001


def message(body: bytes = b"", command: int = READ, flags: int = 0, message_id: int = 7) -> bytes:
    header = bytearray(b"\xfeSMB" + bytes(60))
    header[12:14] = command.to_bytes(2, "little")
    header[16:20] = flags.to_bytes(4, "little")
    header[24:32] = message_id.to_bytes(8, "little")
    return bytes(header) + body


def signed(algorithm: int, plain: bytes, key: bytes = KEY) -> bytearray:
    frame = bytearray(plain)
    make_signer(algorithm, key).sign_into(frame)
    return frame


def test_the_algorithm_follows_from_the_dialect():
    assert signing_algorithm(0x0202) == HMAC_SHA256
    assert signing_algorithm(0x0210, AES_GMAC) == HMAC_SHA256
    assert signing_algorithm(0x0300) == AES_CMAC
    assert signing_algorithm(0x0302, AES_GMAC) == AES_CMAC
    assert signing_algorithm(0x0311) == AES_CMAC
    assert signing_algorithm(0x0311, AES_GMAC) == AES_GMAC
    assert signing_algorithm(0x0311, HMAC_SHA256) == HMAC_SHA256


def test_cmac_is_what_windows_signs_its_session_setup_response_with():
    signer = make_signer(AES_CMAC, windows.SIGNING_KEY)
    assert signer.verify(memoryview(windows.SECOND_RESPONSE))
    frame = bytearray(windows.SECOND_RESPONSE)
    signer.sign_into(frame)
    assert frame == windows.SECOND_RESPONSE


@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 100])
def test_cmac_agrees_with_impacket(size):
    plain = message(bytes(range(size)))
    expected = impacket_crypto.AES_CMAC(KEY, plain, len(plain))
    assert signed(AES_CMAC, plain)[48:64] == expected


@pytest.mark.parametrize("algorithm", SIGNERS)
@pytest.mark.parametrize("flags", [0, RESPONSE])
@pytest.mark.parametrize("command", [READ, CANCEL])
def test_every_algorithm_agrees_with_smbprotocol(algorithm, flags, command):
    plain = message(b"body", command, flags, message_id=0x0102030405060708)
    peer = SimpleNamespace(dialect=0x0311, signing_algorithm_id=algorithm)
    expected = Connection._generate_signature(
        peer, plain, KEY, 0x0102030405060708, bool(flags), command
    )
    assert signed(algorithm, plain)[48:64] == expected


def test_gmac_is_gcm_without_a_plaintext():
    """NIST's first GCM test case has no associated data at all; RFC 4543 defines the rest."""
    zero = AESGCM(bytes(16)).encrypt(bytes(12), b"", b"")
    assert zero.hex() == "58e2fccefa7e3061367f1d57a4e7455a"
    plain = message(message_id=0, flags=RESPONSE)
    nonce = bytes(8) + b"\x01\x00\x00\x00"
    assert signed(AES_GMAC, plain)[48:64] == AESGCM(KEY).encrypt(nonce, b"", plain)


@pytest.mark.parametrize("algorithm", SIGNERS)
def test_the_old_signature_does_not_matter_when_signing(algorithm):
    dirty = bytearray(message(b"body"))
    dirty[48:64] = b"x" * 16
    assert signed(algorithm, bytes(dirty)) == signed(algorithm, message(b"body"))


@pytest.mark.parametrize("algorithm", SIGNERS)
def test_an_element_of_a_compound_is_signed_where_it_stands(algorithm):
    alone = signed(algorithm, message(b"body"))
    burst = bytearray(b"\0\0\0\x99" + message(b"body") + message(b"next"))
    make_signer(algorithm, KEY).sign_into(burst, 4, 68)
    assert burst == b"\0\0\0\x99" + bytes(alone) + message(b"next")
    view = memoryview(bytearray(message(b"body")))
    make_signer(algorithm, KEY).sign_into(view)
    assert view == alone


@pytest.mark.parametrize("algorithm", SIGNERS)
@pytest.mark.parametrize("buffer", [bytes, bytearray], ids=["read-only", "writable"])
def test_verifying_leaves_the_frame_as_it_was(algorithm, buffer):
    frame = buffer(signed(algorithm, message(b"body")))
    before = bytes(frame)
    assert make_signer(algorithm, KEY).verify(memoryview(frame))
    assert frame == before
    assert not make_signer(algorithm, b"another key here").verify(memoryview(frame))
    assert frame == before


@pytest.mark.parametrize("algorithm", SIGNERS)
def test_one_signer_serves_any_number_of_messages(algorithm):
    signer = make_signer(algorithm, KEY)
    for number in range(3):
        frame = bytearray(message(b"body", message_id=number))
        signer.sign_into(frame)
        assert signer.verify(memoryview(frame))
        assert frame == signed(algorithm, message(b"body", message_id=number))


@pytest.mark.parametrize("algorithm", SIGNERS)
@settings(deadline=None)
@given(at=st.integers(0, 99), bit=st.integers(0, 7))
def test_any_changed_bit_is_noticed(algorithm, at, bit):
    frame = signed(algorithm, message(bytes(36)))
    frame[at] ^= 1 << bit
    assert not make_signer(algorithm, KEY).verify(memoryview(frame))


@pytest.mark.parametrize("algorithm", SIGNERS)
@settings(deadline=None)
@given(frame=st.binary(max_size=200))
def test_no_bytes_make_verify_raise(algorithm, frame):
    assert not make_signer(algorithm, KEY).verify(memoryview(frame))


def test_gmac_nonces_of_request_response_and_cancel_differ():
    signatures = {
        bytes(signed(AES_GMAC, message(command=command, flags=flags)))
        for command in (READ, CANCEL)
        for flags in (0, RESPONSE)
    }
    assert len(signatures) == 4
