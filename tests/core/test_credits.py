"""Message ids and credits: the window of ids that the peer may use ([MS-SMB2] 3.3.1.1, 3.3.1.2)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from smbd.credits import CommandSequenceWindow
from smbd.ntstatus import ProtocolError

MAXIMUM = 64


def window_of(available, maximum=8192):
    """A window whose next ids are 1 to `available`."""
    window = CommandSequenceWindow(maximum)
    window.take(0, 1)
    assert window.grant(available) == available
    return window


def test_a_client_begins_with_the_right_to_one_message():
    window = CommandSequenceWindow(8192)
    assert window.available == 1
    with pytest.raises(ProtocolError):
        window.take(1, 1)
    window.take(0, 1)
    assert window.available == 0


def test_what_was_granted_may_be_used_in_any_order_and_once():
    window = window_of(5)
    for message_id in (3, 1, 5, 2, 4):
        window.take(message_id, 1)
    for message_id in range(7):
        with pytest.raises(ProtocolError):
            window.take(message_id, 1)


def test_an_id_used_out_of_order_is_not_used_again():
    window = window_of(5)
    window.take(3, 1)
    with pytest.raises(ProtocolError, match="twice"):
        window.take(3, 1)
    with pytest.raises(ProtocolError, match="twice"):
        window.take(2, 2)
    assert window.available == 4


def test_a_refused_id_costs_nothing():
    window = window_of(5)
    for message_id, charge in ((0, 1), (6, 1), (5, 2), (1, 6), (2**64 - 1, 1), (2**64 - 1, 65535)):
        with pytest.raises(ProtocolError):
            window.take(message_id, charge)
    assert window.available == 5
    window.take(1, 5)


def test_a_large_request_spends_consecutive_ids():
    window = window_of(10)
    window.take(1, 4)
    window.take(5, 6)
    assert window.available == 0


def test_a_charge_of_zero_is_one():
    window = window_of(2)
    window.take(1, 0)
    assert window.available == 1


def test_a_client_that_asks_for_nothing_keeps_the_right_to_one_message():
    window = CommandSequenceWindow(8192)
    for message_id in range(100):
        window.take(message_id, 1)
        assert window.grant(0) == 1
        assert window.available == 1


def test_asking_for_one_at_a_time_gives_one_at_a_time():
    window = CommandSequenceWindow(8192)
    for message_id in range(100):
        window.take(message_id, 1)
        assert window.grant(1) == 1
    assert window.available == 1
    window.take(100, 1)
    assert window.grant(65535) == 8192


def test_no_more_are_granted_than_the_window_is_wide():
    window = window_of(8192)
    assert window.grant(65535) == 0
    window.take(1, 1)
    assert window.grant(65535) == 1


def test_a_skipped_id_holds_the_window_until_it_is_used():
    """smbtorture's smb2.credits.skipped_mid."""
    window = window_of(8192)
    for message_id in range(2, 8193):
        window.take(message_id, 1)
        assert window.grant(1) == 0
    assert window.available == 1
    window.take(1, 1)
    assert window.grant(8192) == 8192
    assert window.available == 8192
    assert not window._used, "nothing is remembered of ids that came in full"


@given(st.lists(st.integers(1, 20), min_size=1), st.integers(0, 300))
def test_a_client_in_order_never_meets_a_refusal(charges, asked):
    window = window_of(400)
    next_id = 1
    for charge in charges:
        if charge > window.available:
            break
        window.take(next_id, charge)
        next_id += charge
        window.grant(asked)
        assert not window._used


class AnyClient(RuleBasedStateMachine):
    """Ids in any order, valid or not, against a model: two plain sets."""

    def __init__(self):
        super().__init__()
        self.window = CommandSequenceWindow(MAXIMUM)
        self.granted = {0}
        self.used = set()
        self.high = 1

    @rule(message_id=st.integers(0, 200), charge=st.integers(0, 6))
    def take(self, message_id, charge):
        wanted = set(range(message_id, message_id + (charge or 1)))
        legal = wanted <= self.granted - self.used
        try:
            self.window.take(message_id, charge)
        except ProtocolError:
            assert not legal
        else:
            assert legal
            self.used |= wanted

    @precondition(lambda self: self.granted > self.used)
    @rule(data=st.data())
    def take_one_that_is_due(self, data):
        message_id = data.draw(st.sampled_from(sorted(self.granted - self.used)))
        self.window.take(message_id, 1)
        self.used.add(message_id)

    @rule(asked=st.integers(0, 100))
    def grant(self, asked):
        had = len(self.granted - self.used)
        granted = self.window.grant(asked)
        assert granted <= max(asked, 1)
        assert had + granted >= 1, "a client without credits could never speak again"
        self.granted |= set(range(self.high, self.high + granted))
        self.high += granted

    @invariant()
    def counts_and_bounds_agree(self):
        due = self.granted - self.used
        assert self.window.available == len(due)
        assert self.high - min(due, default=self.high) <= MAXIMUM
        assert len(self.window._used) < MAXIMUM


TestAnyClient = AnyClient.TestCase
