"""One connection of the load client, against a peer that follows a script."""

import socket
import struct
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from smbd.load.session import PENDING, LoadError
from smbd.load.stream import Stream
from smbd.load.work import Order, Work, in_turn
from tests.scripted.framing import FrameReader

FILE = bytes(range(16))
KIB = 1 << 10
MIB = 1 << 20


class Peer:
    """The server's end."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock

    def requests(self) -> list[tuple[int, int, int]]:
        """Command, message id and offset of what came."""
        found, reader = list[tuple[int, int, int]](), FrameReader()
        while not found or reader.rest:
            for message in reader.frames(self.sock.recv(MIB)):
                (command,) = struct.unpack_from("<H", message, 12)
                (message_id,) = struct.unpack_from("<Q", message, 24)
                (offset,) = struct.unpack_from("<Q", message, 72)
                found.append((command, message_id, offset))
        return found

    def answer(self, message_id: int, size: int, status: int = 0, credit: int = 1) -> bytes:
        """A READ's response with so many bytes."""
        head = struct.pack("<4sHHIHHIIQ32x", b"\xfeSMB", 64, 1, status, 8, credit, 1, 0, message_id)
        body = struct.pack("<HBBIII", 17, 80, 0, size, 0, 0) + bytes(size)
        return struct.pack(">I", len(head) + len(body)) + head + body


class Ends:
    """Both ends of a connection."""

    def __init__(self, ours: socket.socket, theirs: socket.socket) -> None:
        self.session: Any = SimpleNamespace(
            sock=ours, signer=None, sealer=None, tree_id=5, session_id=7, message_id=10, credits=100
        )
        self.peer = Peer(theirs)

    def stream(self, work: Work) -> Stream:
        return Stream(self.session, FILE, work, Order(work.offsets))


@pytest.fixture
def ends() -> Iterator[Ends]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield Ends(ours, theirs)


def reads(size: int = 4 * KIB, depth: int = 2) -> Work:
    return Work("read", size, depth, in_turn(size, 16 * size))


def test_as_many_requests_as_its_depth_leave_at_once(ends: Ends) -> None:
    stream = ends.stream(reads(depth=3))

    assert stream.top_up()

    assert ends.peer.requests() == [(8, 10, 0), (8, 11, 4096), (8, 12, 8192)]
    assert ends.session.credits == 97


def test_what_credits_do_not_pay_for_waits_for_them(ends: Ends) -> None:
    ends.session.credits = 17
    stream = ends.stream(reads(MIB, depth=2))
    stream.top_up()
    assert ends.peer.requests() == [(8, 10, 0)]

    ends.peer.sock.sendall(ends.peer.answer(10, 100, PENDING, credit=15))
    stream.receive()
    stream.top_up()

    assert ends.peer.requests() == [(8, 26, MIB)]


def test_an_interim_reply_is_no_answer(ends: Ends) -> None:
    stream = ends.stream(reads())
    stream.top_up()

    ends.peer.sock.sendall(ends.peer.answer(10, 0, PENDING))
    stream.receive()

    assert stream.interim == 1
    assert stream.latencies == []
    assert set(stream.sent) == {10, 11}


@pytest.mark.parametrize("cut", [1, 3, 4, 75, 76, 84, 85, 4000, 4179, 4180, 4181, 8000])
def test_replies_may_come_in_any_pieces(ends: Ends, cut: int) -> None:
    stream = ends.stream(reads())
    stream.top_up()
    both = ends.peer.answer(10, 4096) + ends.peer.answer(11, 4096)

    ends.peer.sock.sendall(both[:cut])
    stream.receive()
    done = len(stream.latencies)
    ends.peer.sock.sendall(both[cut:])
    stream.receive()

    assert done == cut // (len(both) // 2)
    assert len(stream.latencies) == 2
    assert stream.transferred == 8192
    assert not stream.sent


def test_a_long_reply_counts_when_its_last_byte_is_there(ends: Ends) -> None:
    stream = ends.stream(reads(64 * KIB, depth=1))
    stream.top_up()
    reply = ends.peer.answer(10, 64 * KIB)

    ends.peer.sock.sendall(reply[:-1])
    stream.receive()
    assert not stream.latencies

    ends.peer.sock.sendall(reply[-1:])
    stream.receive()
    assert len(stream.latencies) == 1


def test_a_socket_that_is_full_is_not_waited_for(ends: Ends) -> None:
    work = Work("write", 4 * MIB, 2, in_turn(4 * MIB, 8 * MIB))
    stream = ends.stream(work)
    ends.session.credits = 1000

    stream.top_up()
    received = 0
    while not stream.flush():
        assert len(stream.sent) == 1  # its payload stays where it is: the next must wait for it
        received += len(ends.peer.sock.recv(MIB))

    assert received > 2 * MIB


def test_an_order_that_is_used_up_is_told(ends: Ends) -> None:
    stream = ends.stream(Work("read", 4096, depth=4, offsets=lambda: iter([0, 4096])))

    assert not stream.top_up()

    assert ends.peer.requests() == [(8, 10, 0), (8, 11, 4096)]


def test_a_server_that_says_nothing_any_more_is_an_error(ends: Ends) -> None:
    stream = ends.stream(reads())
    soon = struct.pack("ll", 0, 1000)  # 1 ms; a session's has SILENCE
    ends.session.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, soon)

    with pytest.raises(LoadError, match="the server has said nothing for 30 seconds"):
        stream.receive()
