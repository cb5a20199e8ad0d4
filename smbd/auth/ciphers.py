"""MD4 and RC4, which NTLM is made of.

The packages that have them take longer to import than all of smbd, and what is done with them here
is little: MD4 hashes a password at the start, RC4 encrypts 16 bytes three times in a login.
"""

import struct
from collections.abc import Callable, Sequence
from itertools import cycle

_BLOCK = 64  # bytes
_WORD = 0xFFFFFFFF
_Function = Callable[[int, int, int], int]
# [RFC1320] 3.4: of each round its function, its constant, the order of the words, the rotations.
_ROUNDS: tuple[tuple[_Function, int, tuple[int, ...], tuple[int, ...]], ...] = (
    (lambda x, y, z: (x & y) | (~x & z), 0, tuple(range(16)), (3, 7, 11, 19)),
    (
        lambda x, y, z: (x & y) | (x & z) | (y & z),
        0x5A827999,
        (0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15),
        (3, 5, 9, 13),
    ),
    (
        lambda x, y, z: x ^ y ^ z,
        0x6ED9EBA1,
        (0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15),
        (3, 9, 11, 15),
    ),
)


def md4(data: bytes) -> bytes:
    """The 16 bytes of [RFC1320]; some 50 us for each 64 bytes."""
    padded = data + b"\x80" + bytes(-(len(data) + 9) % _BLOCK) + struct.pack("<Q", len(data) * 8)
    state = [0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476]
    for at in range(0, len(padded), _BLOCK):
        mixed = _mix(state, struct.unpack_from("<16I", padded, at))
        state = [(old + new) & _WORD for old, new in zip(state, mixed, strict=True)]
    return struct.pack("<4I", *state)


def _mix(state: Sequence[int], words: Sequence[int]) -> tuple[int, ...]:
    a, b, c, d = state
    for function, constant, order, rotations in _ROUNDS:
        for number, by in zip(order, cycle(rotations), strict=False):
            total = (a + function(b, c, d) + words[number] + constant) & _WORD
            a, b, c, d = d, (total << by | total >> (32 - by)) & _WORD, b, c
    return a, b, c, d


def rc4(key: bytes, data: bytes) -> bytes:
    """What a new RC4 with `key` makes of `data`, and of that again; some 40 us for 16 bytes."""
    box = list(range(256))
    j = 0
    for i, part in zip(range(256), cycle(key), strict=False):
        at_i = box[i]
        j = (j + at_i + part) & 255
        box[i], box[j] = box[j], at_i
    out = bytearray(data)
    i = j = 0
    for at, byte in enumerate(data):
        i = (i + 1) & 255
        j = (j + box[i]) & 255
        box[i], box[j] = box[j], box[i]
        out[at] = byte ^ box[(box[i] + box[j]) & 255]
    return bytes(out)
