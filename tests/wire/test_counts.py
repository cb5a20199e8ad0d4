"""Lists on the wire have a longest length: a request of 8 MiB cannot hold a million of anything."""

from struct import pack

import pytest

from smbd.auth.ntlm import parse_response
from smbd.auth.spnego import parse_neg_token_init
from smbd.ntstatus import NtError, NtStatus
from smbd.wire.create_contexts import pack_create_contexts, parse_create_contexts
from smbd.wire.dtyp import (
    Ace,
    SecurityDescriptor,
    pack_security_descriptor,
    parse_security_descriptor,
)
from smbd.wire.fscc import ExtendedAttribute, pack_full_ea, parse_full_ea, parse_get_ea
from smbd.wire.fsctl import parse_copychunk, parse_validate_negotiate
from smbd.wire.lock import parse_lock_request
from smbd.wire.negotiate import parse_negotiate_request
from smbd.wire.negotiate_contexts import pack_negotiate_contexts, parse_negotiate_contexts


def create_contexts(count):
    data = pack_create_contexts([(b"name", b"")] * count)
    return len(parse_create_contexts(memoryview(data)))


def attributes(count):
    data = pack_full_ea([ExtendedAttribute(b"n", b"v")] * count)
    return len(parse_full_ea(memoryview(data)))


def attribute_names(count):
    entries = [pack("<IB1sxx", 8, 1, b"n")] * count
    entries[-1] = bytes(4) + entries[-1][4:]
    return len(parse_get_ea(memoryview(b"".join(entries))))


def negotiate_contexts(count):
    data = pack_negotiate_contexts([(3, b"")] * count)
    return len(parse_negotiate_contexts(memoryview(data), count))


def dialects(count):
    body = pack("<HHHHI16sQ", 36, count, 1, 0, 0, bytes(16), 0) + b"\2\3" * count
    return len(parse_negotiate_request(memoryview(bytes(64) + body)).dialects)


def dialects_again(count):
    data = pack("<I16sHH", 0, bytes(16), 1, count) + b"\2\3" * count
    return len(parse_validate_negotiate(memoryview(data)).dialects)


def locks(count):
    body = pack("<HHI16s", 48, count, 0, bytes(16)) + pack("<QQII", 0, 1, 1, 0) * count
    return len(parse_lock_request(memoryview(bytes(64) + body)).locks)


def entries_of_an_acl(count):
    aces = [Ace(0, 0, 1, "S-1-1-0")] * count
    data = pack_security_descriptor(SecurityDescriptor(None, None, aces))
    return len(parse_security_descriptor(memoryview(data)).dacl)


def der(tag, value):
    return bytes((tag, 0x82)) + len(value).to_bytes(2, "big") + value


def mechanisms(count):
    listed = der(0x30, b"\6\1\x2a" * count)
    inner = der(0xA0, der(0x30, der(0xA0, listed)))
    token = der(0x60, der(6, bytes.fromhex("2b0601050502")) + inner)
    return len(parse_neg_token_init(token).mechanisms)


@pytest.mark.parametrize(
    ("parsed", "most", "status"),
    [
        (create_contexts, 64, NtStatus.INVALID_PARAMETER),
        (attributes, 1024, NtStatus.EA_CORRUPT_ERROR),
        (attribute_names, 1024, NtStatus.EA_CORRUPT_ERROR),
        (negotiate_contexts, 64, NtStatus.INVALID_PARAMETER),
        (dialects, 64, NtStatus.INVALID_PARAMETER),
        (dialects_again, 64, NtStatus.INVALID_PARAMETER),
        (locks, 256, NtStatus.INVALID_PARAMETER),
        (entries_of_an_acl, 2048, NtStatus.INVALID_PARAMETER),
        (mechanisms, 64, NtStatus.INVALID_PARAMETER),
    ],
)
def test_a_list_has_a_longest_length(parsed, most, status):
    assert parsed(most) == most
    with pytest.raises(NtError) as caught:
        parsed(most + 1)
    assert caught.value.status == status


def test_the_pairs_of_an_ntlm_response_have_a_greatest_number():
    def response(pairs):
        challenge = pack("<16sBB6xQ8x4x", bytes(16), 1, 1, 0)
        return challenge + b"".join(pack("<HH", number, 0) for number in range(1, pairs + 1))

    parse_response(response(64))
    with pytest.raises(NtError) as caught:
        parse_response(response(65))
    assert caught.value.status == NtStatus.LOGON_FAILURE


def test_more_chunks_than_a_copy_may_have_are_not_looked_at():
    def chunks(count):
        return parse_copychunk(memoryview(pack("<24sII", b"key", count, 0) + bytes(24) * count))

    assert len(chunks(256).chunks) == 256
    assert chunks(257).chunks is None
    assert parse_copychunk(memoryview(pack("<24sII", b"key", 0xFFFFFFFF, 0))).chunks is None
