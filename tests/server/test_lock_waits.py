"""Several clients in line for one range, and one that holds very many."""

import pytest
from smbprotocol.open import SMB2LockElement

from smbd.ntstatus import NtStatus
from smbd.wire.lock import LockFlags
from tests.server.clients import PypiClient, refusal

EXCLUSIVE, UNLOCK = LockFlags.EXCLUSIVE, LockFlags.UNLOCK
AT_ONCE = LockFlags.FAIL_IMMEDIATELY


def element(offset, length, flags):
    one = SMB2LockElement()
    one["offset"], one["length"], one["flags"] = offset, length, flags
    return one


def lock(opened, flags=EXCLUSIVE | AT_ONCE):
    return refusal(opened.lock, [element(0, 10, flags)])


class Waiting:
    """A LOCK of the same ten bytes that the server has told to wait."""

    def __init__(self, opened):
        self._connection = opened.connection
        request, _ = opened.lock([element(0, 10, EXCLUSIVE)], send=False)
        tree = opened.tree_connect
        self._sent = self._connection.send(request, tree.session.session_id, tree.tree_connect_id)
        assert self._sent.response_event.wait(10)

    @property
    def over(self):
        return self._sent.response["status"].get_value() != NtStatus.PENDING

    def end(self):
        return refusal(self._connection.receive, self._sent)


@pytest.fixture
def clients(folder, server):
    """Four clients that have the file open, each on a connection of its own."""
    (folder / "file").write_bytes(bytes(100))
    connected = [PypiClient(server) for _ in range(4)]
    yield [(client, client.open("file")) for client in connected]
    for client in connected:
        client.connection.disconnect(close=False)


def test_first_come_first_served(clients):
    opened = [file for _, file in clients]
    assert lock(opened[0]) == 0
    line = [Waiting(one) for one in opened[1:]]
    for holder, place in zip(opened, line, strict=False):
        assert not any(one.over for one in line[line.index(place) :])
        assert lock(holder, UNLOCK) == 0
        assert place.end() == 0


def test_a_lost_connection_leaves_the_queue(clients):
    (_, first), (second_client, second), (_, third), _ = clients
    assert lock(first) == 0
    Waiting(second)
    last = Waiting(third)
    second_client.connection.disconnect(close=False)
    assert lock(first, UNLOCK) == 0
    assert last.end() == 0
    assert lock(first) == NtStatus.LOCK_NOT_GRANTED


def test_a_lost_connection_with_the_lock_lets_the_next_in(clients):
    (first_client, first), (_, second), _, _ = clients
    assert lock(first) == 0
    place = Waiting(second)
    first_client.connection.disconnect(close=False)
    assert place.end() == 0


def test_a_client_with_a_thousand_locks_hinders_nobody_beside_them(clients):
    (_, greedy), (_, other), _, _ = clients
    step, count = 10, 1000
    for start in range(0, count, 250):
        every = [
            element(1000 + step * at, step // 2, EXCLUSIVE | AT_ONCE)
            for at in range(start, start + 250)
        ]
        greedy.lock(every)
    assert other.write(b"beside", 0) == 6
    for at in (0, 1, count // 2, count - 1):
        held, free = 1000 + step * at, 1000 + step * at + step // 2
        assert refusal(other.write, b"x", held) == NtStatus.FILE_LOCK_CONFLICT
        assert other.write(b"x" * (step // 2), free) == step // 2
        assert refusal(other.lock, [element(free, 1, EXCLUSIVE | AT_ONCE)]) == 0
    greedy.close()
    assert other.write(bytes(step * count), 1000) == step * count
