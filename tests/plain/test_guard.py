"""C signs, seals and opens as Python does, and believes nothing that Python would not."""

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smbd.crypto import AES_128_CCM, AES_128_GCM, AES_256_GCM, Sealer, make_signer
from smbd.wire.header import HEADER, PROTOCOL_ID, Flags

from .rig import the_core

SESSION_ID = 0x0000100000000025
SIGNING = b"sixteen byte key"
GMAC = 2
TRANSFORM = 52
SIZES = [64, 65, 79, 80, 112, 117, 4096 + 80, 65536 + 112]


@pytest.fixture(scope="module")
def core():
    core = the_core()
    if not core.protects:
        pytest.skip("there is no OpenSSL here")
    return core


def message(size, *, from_server=False, message_id=7):
    flags = Flags.SIGNED | (Flags.SERVER_TO_REDIR if from_server else 0)
    fields = (PROTOCOL_ID, 64, 1, 0, 8, 1, flags, 0, message_id, 0, 3, SESSION_ID, bytes(16))
    return bytearray(HEADER.pack(*fields) + os.urandom(size - 64))


def sealers(cipher_id):
    length = 32 if cipher_id == AES_256_GCM else 16
    down, up = b"d" * length, b"u" * length
    return Sealer(cipher_id, down, up), Sealer(cipher_id, up, down)


def opened(core, guard, frame):
    """What C finds in a sealed message; None: it does not believe it."""
    into = core.ffi.new("uint8_t[]", len(frame))
    if not core.lib.guard_open(guard, bytes(frame), len(frame), into):
        return None
    return bytes(core.ffi.buffer(into, len(frame) - TRANSFORM))


@pytest.mark.parametrize("size", SIZES)
def test_a_signature_is_the_one_that_python_makes_and_python_s_is_right(core, size):
    guard, signer = core.guard(SIGNING, None), make_signer(GMAC, SIGNING)
    reply = message(size, from_server=True)
    expected = bytearray(reply)
    signer.sign_into(expected)

    assert core.lib.guard_sign(guard, core.ffi.from_buffer(reply), size)

    assert reply == expected
    request = message(size)
    signer.sign_into(request)
    assert core.lib.guard_verify(guard, bytes(request), size)


def test_a_signature_is_wrong_when_any_byte_has_changed(core):
    guard = core.guard(SIGNING, None)
    request = message(117)
    make_signer(GMAC, SIGNING).sign_into(request)
    for at in range(len(request)):
        changed = bytearray(request)
        changed[at] ^= 0x40
        assert not core.lib.guard_verify(guard, bytes(changed), len(changed)), at


@pytest.mark.parametrize("cipher_id", [AES_128_GCM, AES_256_GCM])
@pytest.mark.parametrize("size", SIZES)
def test_what_is_sealed_opens_on_the_other_side(core, cipher_id, size):
    server, client = sealers(cipher_id)
    guard = core.guard(None, server.gcm_keys)
    reply = message(size, from_server=True)
    frame = bytearray(TRANSFORM) + reply

    assert core.lib.guard_seal(guard, SESSION_ID, core.ffi.from_buffer(frame), size)

    assert client.open(memoryview(bytes(frame))) == reply
    request = message(size)
    assert opened(core, guard, b"".join(client.seal(SESSION_ID, [request]))) == request


def test_c_and_python_share_one_counter_of_nonces(core):
    server, client = sealers(AES_128_GCM)
    guard = core.guard(None, server.gcm_keys)
    nonces = []
    for by_c in (False, True, True, False, True, False):
        frame = bytearray(TRANSFORM) + message(100)
        if by_c:
            core.lib.guard_seal(guard, SESSION_ID, core.ffi.from_buffer(frame), 100)
        else:
            frame = b"".join(server.seal(SESSION_ID, [frame[TRANSFORM:]]))
        nonces.append(int.from_bytes(frame[24:32], "little"))
        client.open(memoryview(bytes(frame)))
    assert nonces == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("size", [64, 117])
def test_nothing_is_opened_when_any_byte_has_changed(core, size):
    server, client = sealers(AES_128_GCM)
    guard = core.guard(None, server.gcm_keys)
    frame = bytearray(b"".join(client.seal(SESSION_ID, [message(size)])))
    for at in range(len(frame)):
        changed = bytearray(frame)
        changed[at] ^= 0x40
        assert opened(core, guard, changed) is None, at
    assert opened(core, guard, frame) is not None


@settings(deadline=None)
@given(frame=st.binary(max_size=200) | st.binary(max_size=200).map(lambda rest: b"\xfdSMB" + rest))
def test_no_bytes_are_taken_for_something_sealed(frame):
    core = the_core()
    server, _ = sealers(AES_128_GCM)
    assert opened(core, core.guard(None, server.gcm_keys), frame) is None


def test_ccm_and_other_signatures_are_python_s(core):
    server, _ = (Sealer(AES_128_CCM, b"d" * 16, b"u" * 16), None)
    assert server.gcm_keys is None
    assert [make_signer(algorithm, SIGNING).gmac_key for algorithm in (0, 1, 2)] == [
        None,
        None,
        SIGNING,
    ]
