"""CREATEs that are sent again, beside a list of those that can be: [MS-SMB2] 3.3.5.9.10."""

from dataclasses import dataclass

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from smbd.auth import Identity
from smbd.ntstatus import NtError, NtStatus
from smbd.state import UNUSED, Creation, Creations, Durability, Open

from ..holders import PaperHolder, an_open

NUMBER = st.integers(0, 1 << 16)
KEY = st.sampled_from([(client, create) for client in (b"A", b"B") for create in (b"1", b"2")])
SESSIONS = {number: PaperHolder(session_id=number) for number in (1, 2)}
SESSION = st.sampled_from(tuple(SESSIONS))
SEQUENCE = 7


@dataclass(eq=False)
class Created:
    """A CREATE of the model; without an Open it is under way."""

    key: tuple
    session: int
    open: Open | None = None
    persistent: bool = False


class ReplaysMachine(RuleBasedStateMachine):
    """Clients send CREATEs, send them again, use what they gave, lose it and close it."""

    def __init__(self):
        super().__init__()
        self.creations = Creations()
        self.eligible: list[Created] = []
        self.used: list[Created] = []  # Opens that are eligible no more

    def _opened(self):
        return [one for one in (*self.eligible, *self.used) if one.open is not None]

    @rule(key=KEY, session=SESSION, replay=st.booleans())
    def create(self, key, session, replay):
        before = next((one for one in self.eligible if one.key == key), None)
        if before is None:
            assert self.creations.find(key, session, replay=replay) is None
            self.creations.begin(key)
            self.eligible.append(Created(key, session))
            return
        status = 0
        if not replay:
            status = NtStatus.DUPLICATE_OBJECTID
        elif before.open is None:
            status = NtStatus.FILE_NOT_AVAILABLE
        elif before.open.holder is not None and before.session != session:
            status = NtStatus.DUPLICATE_OBJECTID
        if not status:
            assert self.creations.find(key, session, replay=True) is before.open
            return
        with pytest.raises(NtError) as error:
            self.creations.find(key, session, replay=replay)
        assert error.value.status == status

    @precondition(lambda self: any(one.open is None for one in self.eligible))
    @rule(number=NUMBER, succeeds=st.booleans(), persistent=st.booleans())
    def end_of_a_create(self, number, succeeds, persistent):
        under_way = [one for one in self.eligible if one.open is None]
        one = under_way[number % len(under_way)]
        if not succeeds:
            self.eligible.remove(one)
            self.creations.fail(one.key)
            return
        one.open, one.persistent = an_open(), persistent
        one.open.holder = SESSIONS[one.session]
        one.open.durable = Durability(Identity("ann", "", b""), 60.0, persistent=persistent)
        one.open.creation = Creation(one.key, 2, SEQUENCE)
        self.creations.succeed(one.open)
        assert one.open.channel_sequence == UNUSED
        self.creations.fail(one.key)  # behind the success this is nothing

    @precondition(lambda self: self._opened())
    @rule(number=NUMBER)
    def use(self, number):
        """Only a persistent Open stays eligible."""
        one = self._opened()[number % len(self._opened())]
        self.creations.used(one.open)
        assert one.open.channel_sequence == SEQUENCE
        if not one.persistent and one in self.eligible:
            self.eligible.remove(one)
            self.used.append(one)

    @precondition(lambda self: self._opened())
    @rule(number=NUMBER)
    def park(self, number):
        self._opened()[number % len(self._opened())].open.holder = None

    @precondition(lambda self: self._opened())
    @rule(number=NUMBER)
    def close(self, number):
        one = self._opened()[number % len(self._opened())]
        (self.eligible if one in self.eligible else self.used).remove(one)
        self.creations.forget(one.open)

    @invariant()
    def both_know_the_same(self):
        assert self.creations._opens == {one.key: one.open for one in self.eligible}
        for one in self._opened():
            assert (one.open.creation is not None) is (one in self.eligible)
