"""Inputs that are nearly right: a seed, some of whose bytes are changed, cut, or doubled."""

from collections.abc import Callable, Sequence
from random import Random

# What counts, lengths and offsets go wrong at.
_EDGES = tuple(
    value % (1 << 64)
    for base in (0, 1 << 7, 1 << 8, 1 << 15, 1 << 16, 1 << 31, 1 << 32, 1 << 63)
    for value in (base - 1, base, base + 1)
)
_LARGEST = 1 << 17  # bytes: what is longer is longer for no new reason


def mutant(random: Random, seeds: Sequence[bytes]) -> bytes:
    """A seed with one to six changes; seldom none, or nothing of a seed at all."""
    data = bytearray(random.choice(seeds))
    if random.random() < 0.02:
        return random.randbytes(random.randrange(400))
    for _ in range(random.choice((0, 1, 1, 1, 2, 3, 6))):
        random.choice(_CHANGES)(random, data, seeds)
    return bytes(data[:_LARGEST])


def _at(random: Random, data: bytearray) -> int:
    return random.randrange(len(data) + 1)


def _flip(random: Random, data: bytearray, _: Sequence[bytes]) -> None:
    if data:
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)


def _byte(random: Random, data: bytearray, _: Sequence[bytes]) -> None:
    if data:
        data[random.randrange(len(data))] = random.randrange(256)


def _edge(random: Random, data: bytearray, _: Sequence[bytes]) -> None:
    """A number of 2, 4 or 8 bytes, at a place where numbers stand."""
    width = random.choice((2, 4, 8))
    at = _at(random, data) & -random.choice((1, 2, 4))
    value = random.choice((*_EDGES, len(data), len(data) - at)) % (1 << 8 * width)
    data[at : at + width] = value.to_bytes(width, "little")


def _cut(random: Random, data: bytearray, _: Sequence[bytes]) -> None:
    del data[_at(random, data) :]


def _remove(random: Random, data: bytearray, _: Sequence[bytes]) -> None:
    at = _at(random, data)
    del data[at : at + random.choice((1, 2, 4, 8, 40))]


def _insert(random: Random, data: bytearray, _: Sequence[bytes]) -> None:
    at = _at(random, data)
    data[at:at] = random.choice((b"\0", b"\xff", b"\x00\xd8", random.randbytes(3))) * (
        random.choice((1, 4, 60))
    )


def _repeat(random: Random, data: bytearray, _: Sequence[bytes]) -> None:
    """A part of it, many times."""
    start, end = sorted((_at(random, data), _at(random, data)))
    data[end:end] = data[start:end] * random.choice((1, 3, 300))
    del data[_LARGEST:]


def _cross(random: Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    """The rest of it is another's."""
    other = random.choice(seeds)
    data[_at(random, data) :] = other[random.randrange(len(other) + 1) :]


_CHANGES: tuple[Callable[[Random, bytearray, Sequence[bytes]], None], ...] = (
    *(_flip, _byte, _byte, _edge, _edge, _edge),
    *(_cut, _remove, _insert, _repeat, _cross),
)
