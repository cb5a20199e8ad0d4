"""Large buffers are kept for the next of their size, and not for longer than they are needed."""

import random

import pytest

from smbd.buffers import LARGE, SpareBuffers

KIB, MIB = 1 << 10, 1 << 20


def memory_of(buffer):
    return buffer.__alloc__()


@pytest.mark.parametrize("size", [LARGE, LARGE + 84, MIB + 84, MIB + 1000, 8 * MIB + 84])
def test_a_buffer_is_found_again_by_a_request_of_its_size(size):
    spare = SpareBuffers(64 * MIB)
    buffer = spare.take(size)
    assert len(buffer) == size
    spare.give(buffer)
    assert spare.take(size) is buffer


def test_a_buffer_is_found_again_by_a_request_of_nearly_its_size():
    spare = SpareBuffers(64 * MIB)
    first = spare.take(1_000_000)
    spare.give(first)
    for size in (1_000_084, 990_000, 1_040_000):
        buffer = spare.take(size)
        assert buffer is first
        assert len(buffer) == size
        spare.give(buffer)


def test_a_buffer_of_which_less_was_needed_keeps_its_place():
    spare = SpareBuffers(64 * MIB)
    buffer = spare.take(MIB + 84)
    del buffer[700 * KIB :]
    spare.give(buffer)
    assert spare.take(MIB + 84) is buffer
    assert len(buffer) == MIB + 84


def test_no_large_buffer_is_kept_for_a_small_request():
    spare = SpareBuffers(64 * MIB)
    large = spare.take(8 * MIB)
    spare.give(large)
    assert memory_of(spare.take(MIB)) < 1.2 * MIB


def test_a_buffer_has_at_most_an_eighth_that_nobody_asked_for():
    spare = SpareBuffers(0)
    for size in random.Random(1).sample(range(LARGE, 8 * MIB), 100):
        assert memory_of(spare.take(size)) <= size * 1.14


def test_what_is_kept_has_a_bound_whatever_sizes_come():
    spare = SpareBuffers(10 * MIB)
    sizes = random.Random(1).sample(range(LARGE, 4 * MIB), 200)
    for buffer in [spare.take(size) for size in sizes]:
        spare.give(buffer)
        assert spare.kept <= 10 * MIB
    spare.give(spare.take(16 * MIB))
    assert spare.kept <= 10 * MIB


def test_what_would_never_be_found_again_is_not_kept():
    spare = SpareBuffers(10 * MIB)
    spare.give(bytearray(MIB + 12345))
    spare.give(bytearray(10))
    assert spare.kept == 0


def test_what_nobody_has_needed_for_a_while_is_let_go():
    spare = SpareBuffers(64 * MIB)
    busy = [spare.take(MIB) for _ in range(4)]
    for buffer in busy:
        spare.give(buffer)
    spare.settle()
    kept = spare.kept
    assert kept >= 4 * MIB, "they have just been used"
    spare.give(spare.take(MIB))
    spare.settle()
    assert MIB <= spare.kept < 2 * MIB, "one was enough"
    spare.settle()
    assert spare.kept == 0
