"""A burst is carried out in turns: what one connection sends at once makes no other one wait."""

import socket
from collections import Counter
from contextlib import asynccontextmanager
from functools import partial

import pytest
import trio
import trio.lowlevel
from trio.testing import wait_all_tasks_blocked

from smbd import transport as transport_module
from smbd import turns
from smbd.buffers import SpareBuffers
from smbd.connection import Connection
from smbd.memory import MemoryAccount
from smbd.standby import stand_by
from smbd.transport import Transport
from smbd.turns import Turn, Turns
from tests.commands.stage import on_stage
from tests.core import messages
from tests.core.messages import ECHO, WRITE

from .rounds import Clock, Counts

FRAME = bytes(64)
MIB = 1 << 20


def sockets():
    pair = socket.socketpair()
    for one in pair:
        one.settimeout(0)
    return pair


@asynccontextmanager
async def two_connections(handle, *, memory=64 * MIB):
    """Both ends of two connections; `handle(name, transport)` gets each of their frames."""
    shared, spare = Turns(), SpareBuffers(0)
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            clients = []
            for name in "ab":
                client, server = sockets()
                transport = Transport(server, MemoryAccount(memory), spare, shared)

                def receive(transport=transport, name=name):
                    return transport.receive(lambda frame, _: handle(name, transport, frame))

                nursery.start_soon(receive)
                clients += client, server
            yield clients[::2]
            scope.cancel()
    for one in clients:
        one.close()


def frames(count):
    return (len(FRAME).to_bytes(4, "big") + FRAME) * count


@pytest.fixture
def short_turns(monkeypatch):
    """A turn is one frame."""
    monkeypatch.setattr(turns, "_TURN", -1.0)
    monkeypatch.setattr(turns, "_SHORTEST", -1.0)


@pytest.fixture
def long_turns(monkeypatch):
    """No turn ends by its time."""
    monkeypatch.setattr(turns, "_TURN", 1e9)


def longest_run(names):
    """How many frames in a row were of one connection while the other had some left."""
    left = Counter(names)
    longest = run = 0
    before = ""
    for name in names:
        run = run + 1 if name == before else 1
        before = name
        left[name] -= 1
        if all(left[one] for one in "ab"):
            longest = max(longest, run)
    return longest


@pytest.mark.usefixtures("short_turns")
async def test_two_connections_with_a_long_burst_each_take_turns():
    order = []

    def handle(name, _transport, _frame):
        order.append(name)
        return False

    async with two_connections(handle) as (one, other):
        one.send(frames(100))
        other.send(frames(100))
        await wait_all_tasks_blocked()
    assert Counter(order) == {"a": 100, "b": 100}
    # In which order trio goes round is its own choice; and one that waits for the second piece of
    # its burst is left out of one round: last before it, alone in it, and first behind it.
    assert longest_run(order) <= 3


@pytest.mark.usefixtures("long_turns")
async def test_a_turn_is_over_when_a_mebibyte_was_answered_however_quickly():
    order = []

    def handle(name, transport, _frame):
        order.append(name)
        transport.send([bytes(MIB)])
        return False

    async with two_connections(handle) as (one, other):
        one.send(frames(20))
        other.send(frames(20))
        await wait_all_tasks_blocked()
    assert Counter(order) == {"a": 20, "b": 20}
    assert longest_run(order) <= 3


@pytest.mark.usefixtures("short_turns")
async def test_replies_leave_at_the_end_of_each_turn():
    seen = []

    client, server = sockets()
    transport = Transport(server, MemoryAccount(MIB), SpareBuffers(0), Turns())

    def handle(_frame, _now):
        seen.append(len(client.recv(MIB)) if seen else 0)
        transport.send([b"reply"])
        return False

    with client, server:
        client.send(frames(3))
        client.shutdown(socket.SHUT_WR)
        await transport.receive(handle)
    assert seen == [0, 5, 5]


@pytest.mark.usefixtures("short_turns")
async def test_a_long_compound_gives_way_between_its_requests(tmp_path):
    async with on_stage(tmp_path) as stage:
        echoes = stage.peer.compound(*[(ECHO, b"\4\0\0\0")] * 20)
        stage.burst(echoes)
        assert not stage.wire.frames  # it is not carried out within one step of the loop
        assert len(await stage.answers()) == 20


@pytest.mark.usefixtures("short_turns")
async def test_a_long_compound_is_carried_out_before_the_next_frame(tmp_path):
    """A name that it makes is there for what was sent behind it."""
    async with on_stage(tmp_path) as stage:

        def handle(_name, _transport, frame):
            return stage.dispatch.frame(frame, trio.current_time())

        echoes = stage.peer.compound(*[(ECHO, b"\4\0\0\0")] * 20)
        late = stage.peer.request(ECHO, b"\4\0\0\0")
        async with two_connections(handle) as (one, _):
            one.send(b"".join(len(f).to_bytes(4, "big") + f for f in (echoes, late)))
            await wait_all_tasks_blocked()
        assert [len(frame) > 200 for frame in stage.wire.frames] == [True, False]


async def test_connections_that_wait_to_go_on_share_the_time_of_a_turn():
    shared = Turns()
    alone = shared.length
    seen = []

    async def wait():
        await Turn(shared).give_way()
        seen.append(shared.length)  # all have begun to wait, some go on already

    async with trio.open_nursery() as nursery:
        for _ in range(10):
            nursery.start_soon(wait)
    assert seen == pytest.approx([alone / others for others in range(10, 0, -1)])
    assert shared.length == alone


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(turns, "perf_counter", clock)
    monkeypatch.setattr(transport_module, "perf_counter", clock)
    return clock


async def test_what_takes_long_is_done_once_in_a_round_of_the_loop(clock):
    shared, rounds = Turns(), Counts()
    long_in, short_in = [], []

    async def sign_much(turn):
        await turn.await_round()
        clock.now += 0.015
        long_in.append(rounds.rounds)

    async def read_a_little(turn):
        turn.begin()
        clock.now += 0.0001
        short_in.append(rounds.rounds)

    trio.lowlevel.add_instrument(rounds)
    try:
        async with trio.open_nursery() as nursery:
            for _ in range(10):
                nursery.start_soon(sign_much, Turn(shared).another())
                nursery.start_soon(read_a_little, Turn(shared).another())
    finally:
        trio.lowlevel.remove_instrument(rounds)
    assert len(set(long_in)) == 10
    assert len(set(short_in)) == 1


async def test_of_chains_that_end_at_once_hardly_two_are_signed_in_one_round(
    tmp_path, clock, monkeypatch
):
    """To sign 8 MiB takes 8 to 16 ms: eight of them in one round were a turn of 60.

    A task that has run in no round of late does not know that this is a new one: so two may be.
    """
    rounds, signed_in = Counts(), []
    sign = Connection.finish_compound

    def finish_compound(connection, answers):
        clock.now += 0.015
        signed_in.append(rounds.rounds)
        return sign(connection, answers)

    async with on_stage(tmp_path) as stage:
        file_id = await stage.open("a")
        for _ in range(5):
            stage.ask(WRITE, messages.write(file_id, b"data"))
        await stage.answers()
        monkeypatch.setattr(Connection, "finish_compound", finish_compound)
        trio.lowlevel.add_instrument(rounds)
        for held in stage.engine.held:
            held.finish()
        assert len(await stage.answers()) == 5
        trio.lowlevel.remove_instrument(rounds)
    assert max(Counter(signed_in).values()) <= 2


async def test_busy_connections_take_several_rounds_and_one_that_asks_little_does_not_wait(clock):
    shared, rounds = Turns(), Counts()
    done = []

    def handle(name, _frame, _now):
        clock.now += 0.0001 if name == "little" else 0.0019
        done.append((rounds.rounds, name))
        return False

    names = ["little", *"0123456789"]
    pairs = {name: sockets() for name in names}
    trio.lowlevel.add_instrument(rounds)
    async with trio.open_nursery() as nursery:
        for name, (_, server) in pairs.items():
            transport = Transport(server, MemoryAccount(MIB), SpareBuffers(0), shared)
            nursery.start_soon(transport.receive, partial(handle, name))
        for _ in range(2):  # at first nobody knows who is busy
            done.clear()
            for client, _ in pairs.values():
                client.send(frames(1))
            await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    trio.lowlevel.remove_instrument(rounds)
    for pair in pairs.values():
        for one in pair:
            one.close()
    in_round = Counter(number for number, _ in done)
    assert len(done) == 11
    assert max(in_round.values()) <= 4  # 5 ms, and whoever began just before, and the little one
    assert (min(in_round), "little") in done


class Waiting:
    """A Standby that says whether others wait."""

    loop = -1
    runnable = 0

    def __init__(self, *, others_wait):
        self.others_wait = others_wait

    def rests(self, _prompt, *, alone):
        """As Standby does."""

    ended = rests


@pytest.mark.parametrize(("others_wait", "at_once"), [(False, 6), (True, 2)])
async def test_a_turn_ends_before_its_time_where_others_wait(clock, others_wait, at_once):
    """Each frame takes 0.3 ms, and it is asked each 0.5 ms; alone, they have 2 ms."""
    shared, rounds, done = Turns(), Counts(), Counter()
    shared.standby = Waiting(others_wait=others_wait)

    def handle(_frame, _now):
        clock.now += 0.0003
        done[rounds.rounds] += 1
        return False

    client, server = sockets()
    with client, server:
        transport = Transport(server, MemoryAccount(MIB), SpareBuffers(0), shared)
        transport._standby = None
        client.send(frames(6))
        client.shutdown(socket.SHUT_WR)
        trio.lowlevel.add_instrument(rounds)
        await transport.receive(handle)
        trio.lowlevel.remove_instrument(rounds)
    assert set(done.values()) == {at_once}


async def test_a_long_compound_gives_way_to_others_that_wait(tmp_path, clock, monkeypatch):
    async with on_stage(tmp_path) as stage:
        shared = Turns()
        shared.standby = Waiting(others_wait=True)
        stage.wire.turn = Turn(shared)
        now = stage.dispatch._now

        def slow(request):
            clock.now += 0.0006
            return now(request)

        monkeypatch.setattr(stage.dispatch, "_now", slow)
        stage.wire.turn.begin()
        stage.burst(stage.peer.compound(*[(ECHO, b"\4\0\0\0")] * 3))
        assert not stage.wire.frames  # 1.8 ms are no turn, but somebody waits
        assert len(await stage.answers()) == 3


@asynccontextmanager
async def both_heard(pairs, shared, handle):
    """A task of the loop for each pair of sockets, by its name; nobody is answered beside them."""
    async with trio.open_nursery() as nursery:
        for name, (_, server) in pairs.items():
            transport = Transport(server, MemoryAccount(MIB), SpareBuffers(0), shared)
            transport._standby = None
            nursery.start_soon(transport.receive, partial(handle, name))
        yield
        nursery.cancel_scope.cancel()
    trio.lowlevel.remove_instrument(shared.standby)
    for pair in pairs.values():
        for one in pair:
            one.close()


async def test_whoever_asks_little_goes_ahead_of_a_turn_that_is_long(clock):
    """trio goes round in any order: it would be first in every other round."""
    shared = Turns()
    shared.standby = stand_by()
    assert shared.standby is not None
    order = []

    def handle(name, _frame, _now):
        clock.now += 0.001 if name == "long" else 0.00001
        order.append(name)
        return False

    pairs = {name: sockets() for name in ("long", "little")}
    async with both_heard(pairs, shared, handle):
        for _ in range(20):
            for client, _ in pairs.values():
                client.send(frames(1))
            await wait_all_tasks_blocked()
    assert order[2:] == ["little", "long"] * 19  # at first nobody knows who is long


async def test_nobody_waits_for_ever_though_all_rounds_are_long(clock):
    """Beside others that hold the loop for long in every round, and begin before."""
    shared = Turns()
    turn = Turn(shared)

    async def hold_the_loop():
        other = Turn(shared)
        while True:
            other.begin()
            clock.now += 1
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(hold_the_loop)
        await trio.lowlevel.checkpoint()
        await turn.await_round()
        nursery.cancel_scope.cancel()
    assert not shared.waiting


async def test_whoever_asks_little_goes_ahead_amid_a_long_burst(clock):
    """Its request comes while the first of two long ones is answered: it waits for that alone."""
    shared = Turns()
    shared.standby = stand_by()
    assert shared.standby is not None
    order, pairs = [], {name: sockets() for name in ("long", "little")}

    def handle(name, _frame, _now):
        order.append(name)
        if name == "long":
            clock.now += 0.0025  # a turn is over, and the round of the loop is not long yet
            if len(order) % 3 == 1:
                pairs["little"][0].send(frames(1))
        return False

    async with both_heard(pairs, shared, handle):
        for _ in range(20):
            pairs["long"][0].send(frames(2))
            await wait_all_tasks_blocked()
    assert order == ["long", "little", "long"] * 20
