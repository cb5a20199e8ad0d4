"""The negotiate contexts of 3.1.1, both ways ([MS-SMB2] 2.2.3.1, 2.2.4.1).

A context whose list of algorithms is empty is refused where 3.3.5.4 says so.  Unknown types stay in
the list of contexts for the command to ignore.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from struct import Struct, pack

from smbd.ntstatus import NtError, NtStatus
from smbd.wire.bounds import at_most, cut, numbers, unpack_payload


class ContextType:
    """[MS-SMB2] 2.2.3.1, ContextType; POSIX is that of the SMB3 POSIX extensions."""

    PREAUTH_INTEGRITY = 0x0001
    ENCRYPTION = 0x0002
    COMPRESSION = 0x0003
    NETNAME = 0x0005
    TRANSPORT = 0x0006
    RDMA_TRANSFORM = 0x0007
    SIGNING = 0x0008
    POSIX = 0x0100


class HashAlgorithm:
    """[MS-SMB2] 2.2.3.1.1."""

    SHA_512 = 1


class Cipher:
    """[MS-SMB2] 2.2.3.1.2."""

    AES_128_CCM = 1
    AES_128_GCM = 2
    AES_256_CCM = 3
    AES_256_GCM = 4


class SigningAlgorithm:
    """[MS-SMB2] 2.2.3.1.7."""

    HMAC_SHA256 = 0
    AES_CMAC = 1
    AES_GMAC = 2


_CONTEXT = Struct(
    "<"
    "H"   # ContextType
    "H"   # DataLength
    "4x"  # Reserved
)  # fmt: skip

_MOST = 64  # there are eight types
_COUNT = Struct("<H")
_PREAUTH = Struct(
    "<"
    "H"  # HashAlgorithmCount
    "H"  # SaltLength
)  # fmt: skip
_COMPRESSION = Struct(
    "<"
    "H"   # CompressionAlgorithmCount
    "2x"  # Padding
    "I"   # Flags
)  # fmt: skip


def parse_negotiate_contexts(data: memoryview, count: int) -> list[tuple[int, memoryview]]:
    """The list from its first byte on; each context starts at a multiple of 8 ([MS-SMB2] 2.2.3)."""
    at_most(_MOST, count)
    contexts = []
    at = 0
    for _ in range(count):
        if at + _CONTEXT.size > len(data):
            raise NtError(NtStatus.INVALID_PARAMETER)
        context_type, length = _CONTEXT.unpack_from(data, at)
        start = at + _CONTEXT.size
        contexts.append((context_type, cut(data, start, length, start)))
        at = start + length + -length % 8
    return contexts


def pack_negotiate_contexts(contexts: Iterable[tuple[int, bytes]]) -> bytes:
    """The list; only what lies between contexts is padded."""
    out = bytearray()
    for context_type, data in contexts:
        out += bytes(-len(out) % 8)
        out += _CONTEXT.pack(context_type, len(data))
        out += data
    return bytes(out)


def _parse_list(data: memoryview, fixed: Struct) -> list[int]:
    count = unpack_payload(fixed, data)[0]
    if not count:
        raise NtError(NtStatus.INVALID_PARAMETER)
    return numbers(data, fixed.size, count)


@dataclass(slots=True)
class PreauthIntegrity:
    """[MS-SMB2] 2.2.3.1.1."""

    hash_algorithms: list[int]
    salt: memoryview


def parse_preauth_integrity(data: memoryview) -> PreauthIntegrity:
    """[MS-SMB2] 2.2.3.1.1."""
    algorithms = _parse_list(data, _PREAUTH)
    salt_length = unpack_payload(_PREAUTH, data)[1]
    salt_at = _PREAUTH.size + 2 * len(algorithms)
    return PreauthIntegrity(algorithms, cut(data, salt_at, salt_length, salt_at))


def pack_preauth_integrity(hash_algorithm: int, salt: bytes) -> bytes:
    """[MS-SMB2] 2.2.4.1.1: the one algorithm that was chosen."""
    return pack("<HHH", 1, len(salt), hash_algorithm) + salt


def parse_encryption(data: memoryview) -> list[int]:
    """[MS-SMB2] 2.2.3.1.2: ciphers, the client's best first."""
    return _parse_list(data, _COUNT)


def pack_encryption(cipher: int) -> bytes:
    """[MS-SMB2] 2.2.4.1.2: the chosen cipher, 0 if none is common."""
    return pack("<HH", 1, cipher)


@dataclass(slots=True)
class CompressionCapabilities:
    """[MS-SMB2] 2.2.3.1.3; flag 1 is chained compression."""

    flags: int
    algorithms: list[int]


def parse_compression(data: memoryview) -> CompressionCapabilities:
    """[MS-SMB2] 2.2.3.1.3."""
    algorithms = _parse_list(data, _COMPRESSION)
    return CompressionCapabilities(unpack_payload(_COMPRESSION, data)[1], algorithms)


def parse_signing(data: memoryview) -> list[int]:
    """[MS-SMB2] 2.2.3.1.7: algorithms, the client's best first."""
    return _parse_list(data, _COUNT)


def pack_signing(algorithm: int) -> bytes:
    """[MS-SMB2] 2.2.4.1.7."""
    return pack("<HH", 1, algorithm)
