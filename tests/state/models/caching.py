"""Clients that do anything in any order to one file, and what must hold all the while.

It knows nothing of how the state keeps its books: each client believes what it is told, and the
beliefs must fit each other.
"""

from dataclasses import dataclass, field

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from smbd.ntstatus import NtError, NtStatus
from smbd.state import Wait
from smbd.state.caching import PATIENCE, Caching, H, Operation, R, W

from ..caching_scene import EVERYTHING, LOOKING, Handle, Scene, Wire

CLIENTS = ("A", "B", "C")
CREATES = (Operation.OPEN, Operation.OVERWRITE, Operation.COLLISION)
NUMBER = st.integers(0, 1 << 16)
STATE = st.sampled_from((0, R, R | H, R | W, R | W | H, W, H, W | H))


@dataclass(eq=False)
class HeardWire(Wire):
    """A connection whose client keeps what it is told."""

    machine: "CachingMachine" = None

    def tell_break(self, notification):
        self.machine.heard_break(notification)


@dataclass(eq=False)
class MachineScene(Scene):
    machine: "CachingMachine" = None

    def connect(self, client, name):
        wire = HeardWire(self, name, machine=self.machine)
        self.client(client).join(wire)
        return wire


@dataclass(eq=False)
class Belief:
    """What a client thinks of one lease or oplock of its own."""

    has: int
    asked_back: int | None = None  # what it may keep of it, if it has to acknowledge that
    due: float = 0.0
    epoch: int = 0
    opens: list = field(default_factory=list)


class CachingMachine(RuleBasedStateMachine):
    """Random creates, changes, acknowledgments, closes, connections and time."""

    def __init__(self):
        super().__init__()
        self.scene = MachineScene(machine=self)
        self.beliefs: dict[Caching, Belief] = {}
        self.handles: list[Handle] = []
        self.waits: list[Wait] = []

    def heard_break(self, notification):
        belief = self.beliefs[notification.caching]
        assert notification.held == belief.has
        assert notification.left & ~belief.has == 0
        assert notification.left != belief.has
        if notification.caching.is_oplock:
            assert notification.left in {0, R}
        if notification.needs_acknowledgment:
            assert belief.has & (W | H)
            assert belief.asked_back in {None, notification.left}
            if belief.asked_back is None:
                belief.due = self.scene.now + PATIENCE
            belief.asked_back = notification.left
        else:
            assert belief.has == R
            belief.has = notification.left

    # --- what clients do ---

    @rule(
        client=st.sampled_from(CLIENTS),
        key=st.sampled_from("kl"),
        state=STATE,
        operation=st.sampled_from(CREATES),
        looks=st.booleans(),
    )
    def create_with_lease(self, client, key, state, operation, looks):
        key = client + key
        self._create(client, operation, looks, key=key, state_=state)

    @rule(
        client=st.sampled_from(CLIENTS),
        oplock=st.sampled_from((0, R, R | W, R | W | H)),
        operation=st.sampled_from(CREATES),
        looks=st.booleans(),
    )
    def create_with_oplock(self, client, oplock, operation, looks):
        if len(self.scene.client(client)):
            self._create(client, operation, looks, oplock=oplock)

    def _create(self, client, operation, looks, *, key="", state_=0, oplock=0):
        text = "".join(
            letter for letter, right in zip("RHW", (R, H, W), strict=True) if state_ & right
        )
        access = LOOKING if looks else EVERYTHING
        made = self.scene.create(
            client, key, text, oplock=oplock, operation=operation, access=access
        )
        if isinstance(made, Wait):
            self.waits.append(made)
        if not isinstance(made, Handle):
            return
        self.handles.append(made)
        caching = made.caching
        if caching is None:
            return
        is_new = caching not in self.beliefs
        belief = self.beliefs.setdefault(caching, Belief(0))
        assert caching.held & belief.has == belief.has, "a CREATE takes nothing away"
        if belief.asked_back is not None:
            assert caching.held == belief.has, "nor does it give while a break is under way"
        if not is_new:
            assert caching.held in {belief.has, state_}
        belief.has = caching.held
        belief.opens.append(made)
        if operation is Operation.OVERWRITE:
            self._others_keep_nothing(caching)

    def _others_keep_nothing(self, caching):
        for other in self.beliefs:
            assert other is caching or not other.kept

    def _handle(self, number):
        return self.handles[number % len(self.handles)]

    @precondition(lambda self: self.handles)
    @rule(number=NUMBER)
    def close(self, number):
        handle = self._handle(number)
        self.handles.remove(handle)
        handle.close()
        if handle.caching is not None:
            opens = self.beliefs[handle.caching].opens
            opens.remove(handle)
            if not opens:
                del self.beliefs[handle.caching]

    @precondition(lambda self: self.handles)
    @rule(number=NUMBER)
    def change(self, number):
        handle = self._handle(number)
        assert self.scene.change(handle) is None
        self._others_keep_nothing(handle.caching)
        own = handle.caching
        if own is not None and own.is_oplock:
            assert own.kept != R, "level II goes with its own changes too"

    @precondition(lambda self: self.handles)
    @rule(number=NUMBER)
    def remove(self, number):
        handle = self._handle(number)
        wait = self.scene.remove(handle)
        handles_kept = [
            one for one, belief in self.beliefs.items()
            if one is not handle.caching and belief.has & H and len(one.teller)
        ]  # fmt: skip
        assert (wait is not None) == bool(handles_kept)
        if wait is not None:
            self.waits.append(wait)

    @precondition(lambda self: self.beliefs)
    @rule(number=NUMBER, state=STATE)
    def acknowledge(self, number, state):
        caching = list(self.beliefs)[number % len(self.beliefs)]
        belief = self.beliefs[caching]
        offered, told = belief.asked_back, state
        if offered is not None and not state & ~offered:
            # What is told next is about the state that this leaves.
            state = state if state & R else 0
            belief.has, belief.asked_back = state, None
            assert caching.acknowledge(told) == state
            caching.go_on(self.scene.now)
            return
        with pytest.raises(NtError) as error:
            caching.acknowledge(state)
        refused = NtStatus.UNSUCCESSFUL if offered is None else NtStatus.REQUEST_NOT_ACCEPTED
        assert error.value.status == refused

    # --- what happens to them ---

    @rule(seconds=st.sampled_from((1.0, 10.0, PATIENCE)))
    def time_passes(self, seconds):
        now = self.scene.now + seconds
        for belief in self.beliefs.values():
            if belief.asked_back is not None and belief.due <= now:
                belief.has, belief.asked_back = 0, None
        self.scene.later(seconds)

    @rule(client=st.sampled_from(CLIENTS), number=NUMBER)
    def connect(self, client, number):
        if len(self.scene.client(client)) < 3:
            self.scene.connect(client, f"{client}{number}")

    @rule(client=st.sampled_from(CLIENTS), number=NUMBER)
    def lose_connection(self, client, number):
        """Leases outlive it: as those of durable opens do."""
        listeners = list(self.scene.client(client)._listeners)
        if listeners:
            self.scene.lose(client, listeners[number % len(listeners)])

    # --- what must hold ---

    @invariant()
    def beliefs_are_what_the_state_says(self):
        for caching, belief in self.beliefs.items():
            if not caching.is_breaking and belief.asked_back is not None:
                # Nobody was there to be asked any more.
                assert not len(caching.teller)
                belief.asked_back = None
                belief.has = caching.held
            if not caching.is_oplock and not len(caching.teller):
                belief.has = caching.held  # it will hear of it when it comes back
            assert caching.held == belief.has
            assert caching.is_breaking == (belief.asked_back is not None)
            assert caching.kept & ~caching.held == 0
            if not caching.is_breaking:
                assert caching.kept == caching.held

    @invariant()
    def beliefs_fit_each_other(self):
        for caching, belief in self.beliefs.items():
            others = [other for one, other in self.beliefs.items() if one is not caching]
            assert belief.has in {0, R, R | H, R | W, R | W | H}
            if belief.has & W:
                assert not any(other.has for other in others)
                assert not any(
                    one.access == EVERYTHING and one.caching is not caching for one in self.handles
                )
            if caching.is_oplock and belief.has:
                assert not any(other.has & H for other in others)

    @invariant()
    def who_waits_waits_for_somebody(self):
        self.waits = [wait for wait in self.waits if not wait.over]
        waits = [wait for some in self.scene.file.waits.values() for wait in some]
        assert set(waits) == set(self.waits)
        breaking = [one for one in self.beliefs if one.is_breaking]
        assert not self.waits or breaking
        assert len(self.scene.deadlines) == len(breaking)

    @invariant()
    def the_books_are_right(self):
        assert set(self.scene.file.keepers) == {one for one in self.beliefs if one.kept}
        leases = {
            caching for client in self.scene.clients.values() for caching in client.leases.values()
        }
        assert leases == {one for one in self.beliefs if not one.is_oplock}

    def teardown(self):
        for handle in self.handles:
            handle.close()
        file = self.scene.file
        assert not file.keepers
        assert not file.waits
        assert not file.using
        assert not file._holders
        assert not file._handle_holders
        assert not file._handle_keepers
        assert file._writer is None
        assert not len(self.scene.deadlines)
        assert not any(client.leases for client in self.scene.clients.values())
        assert not any(client._told for client in self.scene.clients.values())
