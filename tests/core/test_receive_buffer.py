"""Where the bytes of a connection lie until they are handled: the memory follows what came."""

import pytest

from smbd.receiving import IDLE, SMALL, USUAL, ReceiveBuffer

MIB = 1 << 20


def come(buffer, data):
    """Bytes from a socket, as many at a time as there is room; frames are left for later."""
    while data:
        count = min(len(data), len(buffer.free))
        buffer.free[:count] = data[:count]
        buffer.have += count
        data = data[count:]
        if data:
            buffer.keep(0, 8 * MIB, pinned=False)


@pytest.fixture
def buffer():
    one = ReceiveBuffer()
    one.usual = USUAL
    return one


def test_a_connection_that_says_little_costs_little(buffer):
    for _ in range(100):
        come(buffer, bytes(2000))
        buffer.keep(2000, 0, pinned=False)
    assert buffer.size == SMALL


def test_a_full_buffer_makes_room_for_a_burst(buffer):
    come(buffer, bytes(SMALL))
    buffer.keep(SMALL, 0, pinned=False)
    assert buffer.size == USUAL


def test_a_frame_that_is_announced_and_does_not_come_takes_no_memory(buffer):
    come(buffer, bytes(100))
    buffer.keep(0, 8 * MIB, pinned=False)
    assert buffer.size == USUAL
    come(buffer, bytes(5000))
    buffer.keep(0, 8 * MIB, pinned=False)
    assert buffer.size == USUAL
    buffer.settle()
    assert buffer.size == 2 * SMALL
    come(buffer, bytes(8 * MIB - 5100))
    assert buffer.have == 8 * MIB


def test_before_a_login_a_buffer_is_no_larger_than_the_frame_needs():
    buffer = ReceiveBuffer()
    come(buffer, bytes(100))
    buffer.keep(0, 8000, pinned=False)
    assert buffer.size == SMALL
    come(buffer, bytes(SMALL - 100))
    buffer.keep(0, 8000, pinned=False)
    assert buffer.size == 8000


@pytest.mark.parametrize("size", [100, SMALL, SMALL + 1, USUAL, USUAL + 1, 3 * MIB])
def test_a_long_frame_arrives_whole_however_it_is_cut(buffer, size):
    data = bytes(range(256)) * (size // 256) + bytes(size % 256)
    come(buffer, data)
    assert buffer.received == data


def test_the_next_frame_begins_where_the_last_one_ended(buffer):
    come(buffer, b"a" * 1000 + b"b" * 500)
    buffer.keep(1000, 700, pinned=False)
    come(buffer, b"c" * 200)
    assert buffer.received == b"b" * 500 + b"c" * 200


def test_a_frame_that_is_still_used_keeps_its_bytes(buffer):
    come(buffer, b"a" * 1000 + b"b" * 500)
    used = buffer.received[:1000]
    buffer.keep(1000, 700, pinned=True)
    come(buffer, b"c" * 200)
    assert used == b"a" * 1000
    assert buffer.received == b"b" * 500 + b"c" * 200


def test_frames_of_one_size_go_into_the_same_memory(buffer):
    come(buffer, bytes(MIB))
    buffer.keep(MIB, 0, pinned=False)
    size = buffer.size
    for length in (MIB, MIB - 1000, MIB + 1000, 100):
        come(buffer, bytes(length))
        buffer.keep(length, 0, pinned=False)
        assert buffer.size == size


def test_what_a_large_frame_needed_is_given_back_when_nothing_follows(buffer):
    come(buffer, bytes(8 * MIB))
    buffer.keep(8 * MIB - 10, 0, pinned=False)
    assert buffer.size >= 8 * MIB
    buffer.settle()
    assert buffer.size == IDLE
    assert buffer.received == bytes(10)


def test_a_large_frame_that_stops_in_the_middle_keeps_what_came_of_it(buffer):
    come(buffer, b"x" * (2 * MIB))
    buffer.keep(0, 8 * MIB, pinned=False)
    buffer.settle()
    come(buffer, b"y" * (6 * MIB))
    assert buffer.received == b"x" * (2 * MIB) + b"y" * (6 * MIB)


def test_a_large_frame_goes_where_the_one_before_was_when_nobody_uses_that_any_more(buffer):
    size, used, places = 2 * MIB + 100, [], []
    for number in range(6):
        come(buffer, bytes([number]) * size)
        places.append(buffer.received.obj)
        used.append(buffer.received)
        if number:
            used.pop(0).release()  # one is written while the next one comes
        buffer.keep(size, 0, pinned=True)
        come(buffer, bytes(100))
        buffer.keep(0, size, pinned=False)  # the next one is announced
        buffer.have = 0
    assert places[4] is places[2]
    assert places[5] is places[3]
    assert places[3] is not places[2]
    assert bytes(used[0][:1]) == b"\5"


def test_what_requests_were_left_with_is_bounded_and_goes_when_nothing_follows(buffer):
    size, used = 2 * MIB, []
    for _ in range(5):
        come(buffer, bytes(size))
        used.append(buffer.received)
        buffer.keep(size, 0, pinned=True)
    assert 0 < buffer.left <= 3 * size
    buffer.forget()
    assert buffer.left == 0


def test_what_requests_were_left_with_is_kept_while_it_is_used_again(buffer):
    size = 2 * MIB + 100
    for _ in range(4):
        come(buffer, bytes(size))
        buffer.keep(size, 0, pinned=True)
        come(buffer, bytes(100))
        buffer.keep(0, size, pinned=False)
        buffer.have = 0
    buffer.forget()
    assert buffer.left
    buffer.forget()
    assert not buffer.left


def test_of_a_long_frame_no_more_is_taken_than_its_end_and_then_as_much_again(buffer):
    """So that the next one begins in the socket."""
    size = 300_000
    come(buffer, bytes(buffer.usual))
    buffer.keep(0, size, pinned=False)
    while buffer.have < size:
        assert len(buffer.free) <= size - buffer.have
        come(buffer, bytes(len(buffer.free)))
        buffer.keep(0, size, pinned=False)
    buffer.have = 0
    assert len(buffer.free) == size
    come(buffer, bytes(1000))
    buffer.keep(0, 5000, pinned=False)
    assert len(buffer.free) == buffer.size - 1000
