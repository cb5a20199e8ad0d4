"""Requests of one Open in flight, beside a list: ChannelSequence, LockSequence, its descriptor.

[MS-SMB2] 3.3.5.2.10 and 3.3.5.14.
"""

from dataclasses import dataclass

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ..holders import an_open

NUMBER = st.integers(0, 1 << 16)
# Most requests have the present ChannelSequence; the last two are the edges of what is newer.
AHEAD = st.sampled_from((0, 0, 0, 1, 1, 2, -1, -1, -2, 0x7FFF, 0x8000))


@dataclass(eq=False)
class InFlight:
    """A request of the model."""

    sequence: int
    late: bool  # older than the Open's when it came
    is_counted: bool  # what the Open said


class RequestsMachine(RuleBasedStateMachine):
    """Requests come, in order or late, are sent again, and end; channels are lost."""

    def __init__(self):
        super().__init__()
        self.open = an_open()
        self.sequence = 0
        self.in_flight: list[InFlight] = []
        self.others = 0  # operations that are no request's on this Open: a copy reads from it
        self.locked = {}  # number by index
        self.closes = 0

    def _earlier(self):
        """The requests in flight that the client may have sent again."""
        return [one for one in self.in_flight if not one.late and one.sequence != self.sequence]

    @precondition(lambda self: not self.open.closed)
    @rule(ahead=AHEAD, replay=st.booleans(), modifies=st.booleans(), stays=st.booleans())
    def request(self, ahead, replay, modifies, stays):
        sequence = self.sequence + ahead & 0xFFFF
        late = (sequence - self.sequence & 0xFFFF) > 0x7FFF
        if not late:
            if sequence != self.sequence and any(
                one.sequence == sequence for one in self.in_flight
            ):
                return  # 65,536 lost channels later
            self.sequence = sequence
        may = not late and not (replay and self._earlier())
        if replay or sequence != self.open.channel_sequence:
            assert self.open.follow_sequence(sequence, replay=replay) is may
        else:
            assert may
        if stays and (may or not modifies):
            self.open.use()
            self.in_flight.append(InFlight(sequence, late, self.open.begin_request(sequence)))

    @precondition(lambda self: self.in_flight)
    @rule(number=NUMBER)
    def end(self, number):
        one = self.in_flight.pop(number % len(self.in_flight))
        if one.is_counted:
            self.open.end_request(one.sequence)
        self._left()

    @precondition(lambda self: not self.open.closed)
    @rule()
    def another_operation_begins(self):
        self.others += 1
        self.open.use()

    @precondition(lambda self: self.others)
    @rule()
    def another_operation_ends(self):
        self.others -= 1
        self._left()

    @precondition(lambda self: len(self.in_flight) + self.others > 2)
    @rule()
    def close(self):
        self.open.closed = True

    def _left(self):
        is_last = self.open.closed and not self.in_flight and not self.others
        assert self.open.leave() is is_last
        self.closes += is_last

    @rule(
        index=st.sampled_from((0, 1, 1, 2, 64, 65)),
        number=st.integers(0, 3),
        succeeds=st.booleans(),
    )
    def lock(self, index, number, succeeds):
        """One that was carried out is not carried out again; one that fails makes room."""
        was_done = 1 <= index <= 64 and self.locked.get(index) == number
        assert self.open.has_locked(index, number) is was_done
        if was_done:
            return
        self.locked.pop(index, None)
        if succeeds:
            self.open.locked(index, number)
            self.locked[index] = number

    @invariant()
    def both_count_the_same(self):
        assert self.open.channel_sequence == self.sequence
        assert self.open.earlier_requests == len(self._earlier())
        assert self.open.users == len(self.in_flight) + self.others
        assert self.closes <= 1
