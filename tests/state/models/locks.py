"""Byte-range locks of two files, beside a list of those that are held and one of those that wait.

[MS-FSA] 2.1.4.10: a lock conflicts with one that overlaps it, unless both are shared, or a shared
one comes on top of an exclusive one of the same open.
"""

from collections import Counter
from contextlib import nullcontext
from dataclasses import dataclass, field

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from smbd.ntstatus import NtError, NtStatus
from smbd.state import ByteRange, ByteRangeLocks
from smbd.state.locks import LockBudget

BUDGETS = (6, 40)  # little room, and enough for many locks on one file
FILE = st.integers(0, 1)
OWNER = st.sampled_from("abc")
NUMBER = st.integers(0, 1 << 16)
OFFSET, LENGTH = st.integers(0, 12), st.integers(0, 6)
RANGE = st.tuples(OFFSET, LENGTH)
RANGES = st.lists(RANGE, min_size=1, max_size=3)


def overlap(one, offset, length):
    """A range of no bytes lies between two bytes, and meets what has it inside."""
    return one.offset < offset + length and offset < one.offset + one.length


def conflicts(held, wanted):
    if not overlap(held, wanted.offset, wanted.length):
        return False
    if not held.exclusive and not wanted.exclusive:
        return False
    return wanted.exclusive or held.owner != wanted.owner


@dataclass(eq=False)
class PlainFile:
    """The model of one file."""

    real: ByteRangeLocks
    held: list = field(default_factory=list)
    waits: list = field(default_factory=list)  # (range, the real wait)


class LocksMachine(RuleBasedStateMachine):
    """Opens lock, wait, give up and close."""

    def __init__(self):
        super().__init__()
        self.budget = LockBudget()
        self.files = [PlainFile(ByteRangeLocks(self.budget)) for _ in range(2)]
        self.ended = []  # (range, status) of waits, as they really ended
        self.expected = []  # ... and as they should
        self.asked = 0

    @initialize(most=st.sampled_from(BUDGETS))
    def begin(self, most):
        self.most = self.budget.left = most

    def _room(self):
        return self.most - sum(len(file.held) for file in self.files)

    def _can_hold(self, file, wanted):
        return not any(conflicts(one, wanted) for one in file.held)

    def _grant(self, file):
        """Locks that wait are held once they conflict with none, in the order they came."""
        for one, wait in list(file.waits):
            if self._can_hold(file, one):
                file.waits.remove((one, wait))
                if self._room():
                    file.held.append(one)
                    self.expected.append((one, 0))
                else:
                    self.expected.append((one, NtStatus.INSUFFICIENT_RESOURCES))

    # --- what clients do ---

    @rule(number=FILE, owner=OWNER, ranges=RANGES, exclusive=st.booleans())
    def lock_all_or_none(self, number, owner, ranges, exclusive):
        file = self.files[number]
        wanted = [ByteRange(owner, *one, exclusive) for one in ranges]
        before = list(file.held)
        for one in wanted:
            if not self._can_hold(file, one):
                file.held = before
                assert not file.real.try_all(wanted)
                return
            if not self._room():
                file.held = before
                with pytest.raises(NtError) as error:
                    file.real.try_all(wanted)
                assert error.value.status == NtStatus.INSUFFICIENT_RESOURCES
                return
            file.held.append(one)
        assert file.real.try_all(wanted)

    @rule(number=FILE, owner=OWNER, where=RANGE, exclusive=st.booleans())
    def lock_or_wait(self, number, owner, where, exclusive):
        file = self.files[number]
        wanted = ByteRange(owner, *where, exclusive)
        if self._can_hold(file, wanted):
            if self._room():
                assert file.real.try_lock(wanted)
                file.held.append(wanted)
            return
        assert not file.real.try_lock(wanted)
        self.asked += 1
        file.waits.append((wanted, self._wait(file, wanted, (1, self.asked))))

    def _wait(self, file, wanted, sequence):
        wait = file.real.wait(wanted, sequence)
        wait.wake = lambda: self.ended.append((wanted, wait.status))
        return wait

    @precondition(lambda self: any(file.waits for file in self.files))
    @rule(number=NUMBER)
    def repeat_one_that_waits(self, number):
        """Its connection is lost: the replay waits in its stead."""
        file = (
            self.files[number % 2] if self.files[number % 2].waits else self.files[1 - number % 2]
        )
        at = number % len(file.waits)
        wanted, before = file.waits[at]
        again = self._wait(file, wanted, before.sequence)
        file.real.take_over(again)
        file.waits[at] = wanted, again
        self.expected.append((wanted, NtStatus.CANCELLED))

    @rule(number=FILE, owner=OWNER, ranges=RANGES)
    def unlock(self, number, owner, ranges):
        self._unlock(self.files[number], owner, ranges)

    @precondition(lambda self: any(file.held for file in self.files))
    @rule(number=NUMBER)
    def unlock_one_that_is_held(self, number):
        file = self.files[number % 2] if self.files[number % 2].held else self.files[1 - number % 2]
        one = file.held[number % len(file.held)]
        self._unlock(file, one.owner, [(one.offset, one.length)])

    def _unlock(self, file, owner, ranges):
        """Up to the first that is not held; of two kinds of one range the exclusive one first."""
        status = 0  # or RANGE_NOT_LOCKED
        for where in ranges:
            kinds = [ByteRange(owner, *where, exclusive) for exclusive in (True, False)]
            mine = [one for one in kinds if one in file.held]
            if not mine:
                status = NtStatus.RANGE_NOT_LOCKED
                break
            file.held.remove(mine[0])
        self._grant(file)
        with pytest.raises(NtError) if status else nullcontext():
            file.real.unlock(owner, ranges)

    @rule(number=FILE, owner=OWNER, where=RANGE, exclusive=st.booleans())
    def release(self, number, owner, where, exclusive):
        file, one = self.files[number], ByteRange(owner, *where, exclusive)
        if one in file.held:
            file.held.remove(one)
            self._grant(file)
        file.real.release(one)

    @rule(number=FILE, owner=OWNER)
    def close(self, number, owner):
        file = self.files[number]
        for one in list(file.waits):
            if one[0].owner == owner:
                file.waits.remove(one)
                self.expected.append((one[0], NtStatus.RANGE_NOT_LOCKED))
        file.held = [one for one in file.held if one.owner != owner]
        self._grant(file)
        file.real.drop(owner)

    @precondition(lambda self: any(file.waits for file in self.files))
    @rule(number=NUMBER, again=st.booleans())
    def cancel(self, number, again):
        file = (
            self.files[number % 2] if self.files[number % 2].waits else self.files[1 - number % 2]
        )
        one, wait = file.waits.pop(number % len(file.waits))
        self.expected.append((one, NtStatus.CANCELLED))
        wait.give_up()
        if again:
            wait.give_up()

    # --- what both must say ---

    @invariant()
    def the_same_is_held_and_waits(self):
        assert self.ended == self.expected
        assert self.budget.left == self._room()
        for file in self.files:
            assert file.real.held == len(file.held)
            assert list(file.real.waits) == [wait for _, wait in file.waits]
            for owner in "abc":
                mine = [one for one in file.held if one.owner == owner]
                assert Counter(file.real.of(owner)) == Counter(mine)

    @rule(number=FILE, owner=OWNER, where=RANGE)
    def read_and_write(self, number, owner, where):
        file = self.files[number]
        here = [one for one in file.held if where[1] and overlap(one, *where)]
        others = any(one.exclusive and one.owner != owner for one in here)
        shared = any(not one.exclusive for one in here)
        assert file.real.forbid(owner, *where, writing=False) is others
        assert file.real.forbid(owner, *where, writing=True) is (others or shared)

    @rule(number=FILE, size=OFFSET)
    def look_whether_any_begins_within_the_file(self, number, size):
        file = self.files[number]
        begins = any(one.offset < size for one in file.held)
        assert file.real.begin_below(size) is begins
