"""Byte-range locks: [MS-FSA] 2.1.4.10, 2.1.5.8, 2.1.5.9."""

import tracemalloc
from collections import Counter
from contextlib import nullcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smbd.memory import LOCK
from smbd.ntstatus import NtError, NtStatus
from smbd.state import ByteRange, ByteRangeLocks, LockWait
from smbd.state.lock_sets import FEW
from smbd.state.locks import _MOST_HELD, _MOST_WAITS, LockBudget
from tests.counted import instructions

LAST = 2**64 - 1


def shared(owner, offset, length):
    return ByteRange(owner, offset, length, exclusive=False)


def exclusive(owner, offset, length):
    return ByteRange(owner, offset, length, exclusive=True)


def holding(*ranges):
    locks = ByteRangeLocks()
    for one in ranges:
        assert locks.try_lock(one)
    return locks


def forbidden(locks, owner, offset, length, *, writing):
    try:
        locks.check(owner, offset, length, writing=writing)
    except NtError as error:
        return error.status == NtStatus.FILE_LOCK_CONFLICT
    return False


@pytest.mark.parametrize(
    ("held", "wanted", "granted"),
    [
        (shared("a", 0, 10), shared("b", 0, 10), True),
        (shared("a", 0, 10), exclusive("b", 0, 10), False),
        (exclusive("a", 0, 10), shared("b", 0, 10), False),
        (exclusive("a", 0, 10), exclusive("b", 0, 10), False),
        # One's own: only shared on top of what one holds.
        (shared("a", 0, 10), shared("a", 0, 10), True),
        (exclusive("a", 0, 10), shared("a", 0, 10), True),
        (shared("a", 0, 10), exclusive("a", 0, 10), False),
        (exclusive("a", 0, 10), exclusive("a", 0, 10), False),
        # Neighbours.
        (exclusive("a", 0, 10), exclusive("b", 10, 10), True),
        (exclusive("a", 10, 10), exclusive("b", 0, 10), True),
        (exclusive("a", 0, 10), exclusive("b", 9, 1), False),
        (exclusive("a", 5, 1), exclusive("b", 0, 10), False),
        # The end of the numbers.
        (exclusive("a", LAST, 1), exclusive("b", LAST - 1, 1), True),
        (exclusive("a", LAST, 1), exclusive("b", 0, LAST), True),
        (exclusive("a", LAST, 1), exclusive("b", 1, LAST), False),
    ],
)
def test_two_locks(held, wanted, granted):
    assert holding(held).try_lock(wanted) is granted


@pytest.mark.parametrize(
    ("held", "wanted", "granted"),
    [
        (exclusive("a", 5, 0), exclusive("b", 5, 0), True),
        (exclusive("a", 5, 0), exclusive("b", 5, 10), True),
        (exclusive("a", 5, 0), exclusive("b", 0, 5), True),
        (exclusive("a", 5, 0), exclusive("b", 0, 10), False),
        (exclusive("a", 0, 10), exclusive("b", 5, 0), False),
        (exclusive("a", 0, 10), exclusive("b", 0, 0), True),
        (exclusive("a", 0, 10), exclusive("b", 10, 0), True),
    ],
)
def test_a_lock_of_no_bytes_lies_between_two_bytes(held, wanted, granted):
    assert holding(held).try_lock(wanted) is granted


def test_an_exclusive_lock_keeps_others_from_reading_and_writing():
    locks = holding(exclusive("a", 10, 10))
    for writing in (False, True):
        assert forbidden(locks, "b", 15, 1, writing=writing)
        assert forbidden(locks, "b", 0, 11, writing=writing)
        assert not forbidden(locks, "b", 0, 10, writing=writing)
        assert not forbidden(locks, "b", 20, 5, writing=writing)
        assert not forbidden(locks, "a", 10, 10, writing=writing)


def test_a_shared_lock_keeps_everybody_from_writing_its_owner_too():
    locks = holding(shared("a", 10, 10))
    for owner in ("a", "b"):
        assert forbidden(locks, owner, 15, 1, writing=True)
        assert not forbidden(locks, owner, 15, 1, writing=False)


def test_a_shared_lock_on_ones_own_exclusive_one_keeps_one_from_writing():
    locks = holding(exclusive("a", 0, 10), shared("a", 0, 10))
    assert forbidden(locks, "a", 0, 1, writing=True)
    assert forbidden(locks, "b", 0, 1, writing=False)


def test_nothing_forbids_to_read_or_write_no_bytes():
    locks = holding(exclusive("a", 10, 10))
    for offset in (5, 10, 15, 20):
        assert not forbidden(locks, "b", offset, 0, writing=True)


def test_of_two_stacked_locks_the_exclusive_one_goes_first():
    locks = holding(exclusive("a", 0, 10), shared("a", 0, 10))
    locks.unlock("a", [(0, 10)])
    assert locks.try_lock(shared("b", 0, 10))
    locks.unlock("a", [(0, 10)])
    with pytest.raises(NtError) as caught:
        locks.unlock("a", [(0, 10)])
    assert caught.value.status == NtStatus.RANGE_NOT_LOCKED


def test_equal_shared_locks_are_given_up_one_by_one():
    locks = holding(shared("a", 0, 10), shared("a", 0, 10))
    locks.unlock("a", [(0, 10)])
    assert not locks.try_lock(exclusive("b", 0, 10))
    locks.unlock("a", [(0, 10)])
    assert locks.try_lock(exclusive("b", 0, 10))


@pytest.mark.parametrize("other", [("a", 0, 9), ("a", 1, 10), ("b", 0, 10)])
def test_only_the_very_range_of_its_owner_can_be_unlocked(other):
    locks = holding(exclusive("a", 0, 10))
    with pytest.raises(NtError) as caught:
        locks.unlock(other[0], [other[1:]])
    assert caught.value.status == NtStatus.RANGE_NOT_LOCKED
    assert not locks.try_lock(shared("c", 0, 10))


def test_an_owner_that_closes_gives_up_its_own_locks_and_no_others():
    locks = holding(exclusive("a", 0, 10), exclusive("b", 20, 10), shared("a", 40, 1))
    locks.drop("a")
    assert locks.held == 1
    assert locks.try_lock(exclusive("c", 0, 20))
    assert not locks.try_lock(exclusive("c", 25, 1))
    assert locks.try_lock(exclusive("c", 40, 1))


def test_several_locks_are_taken_all_or_none():
    locks = holding(exclusive("a", 20, 10))
    assert not locks.try_all([exclusive("b", 0, 10), shared("b", 40, 1), shared("b", 25, 1)])
    assert locks.held == 1
    assert locks.try_all([exclusive("b", 0, 10), shared("b", 40, 1)])
    assert locks.held == 3


def test_several_locks_that_cannot_be_had_leave_what_was_held_below_them():
    locks = holding(exclusive("a", 20, 10), exclusive("b", 0, 10))
    assert not locks.try_all([shared("b", 0, 10), shared("b", 25, 1)])
    assert forbidden(locks, "c", 0, 1, writing=False), "the exclusive one is still there"
    assert not forbidden(locks, "b", 0, 1, writing=True), "and no shared one on top of it"


def test_who_waits_gets_the_lock_when_it_comes_free():
    locks = holding(exclusive("a", 0, 10))
    woken = []
    wait = locks.wait(exclusive("b", 5, 10))
    wait.wake = lambda: woken.append("b")
    locks.unlock("a", [(0, 10)])
    assert (wait.over, wait.status, woken) == (True, 0, ["b"])
    assert not locks.try_lock(shared("c", 14, 1))
    assert not locks.waits


def test_those_who_wait_are_served_in_the_order_in_which_they_came():
    locks = holding(exclusive("a", 0, 10))
    first, second, third = (
        locks.wait(exclusive("b", 0, 5)),
        locks.wait(exclusive("c", 0, 10)),
        locks.wait(shared("d", 5, 5)),
    )
    locks.unlock("a", [(0, 10)])
    assert (first.over, second.over, third.over) == (True, False, True)
    locks.drop("b")
    assert not second.over
    locks.drop("d")
    assert second.over
    assert first.status == second.status == third.status == 0


def test_the_close_of_who_waits_refuses_it():
    locks = holding(exclusive("a", 0, 10))
    woken = []
    wait = locks.wait(exclusive("b", 0, 10))
    wait.wake = lambda: woken.append("b")
    locks.drop("b")
    assert (wait.status, woken) == (NtStatus.RANGE_NOT_LOCKED, ["b"])
    locks.drop("a")
    assert locks.held == 0


def test_what_a_wait_comes_to_is_told_in_that_moment_and_once():
    locks, told = ByteRangeLocks(), []
    assert locks.try_lock(exclusive("a", 0, 10))
    granted = locks.wait(exclusive("b", 0, 5), settled=lambda status: told.append(("b", status)))
    refused = locks.wait(exclusive("c", 5, 5), settled=lambda status: told.append(("c", status)))
    refused.give_up()
    refused.give_up()
    assert told == [("c", NtStatus.CANCELLED)]
    locks.unlock("a", [(0, 10)])
    granted.give_up()
    assert told[1:] == [("b", 0)]
    assert locks.of("b")


def test_what_repeats_a_wait_gets_its_place():
    locks = ByteRangeLocks()
    assert locks.try_lock(exclusive("a", 0, 10))
    first = locks.wait(exclusive("b", 0, 10), (1, 1))
    other = locks.wait(exclusive("c", 0, 10), (1, 1))
    again = locks.wait(exclusive("b", 0, 10), (1, 1))
    locks.take_over(again)
    assert (first.over, first.status) == (True, NtStatus.CANCELLED)
    another = locks.wait(exclusive("b", 0, 10), (1, 2))
    locks.take_over(another)
    assert not again.over
    locks.unlock("a", [(0, 10)])
    assert (again.over, again.status, other.over) == (True, 0, False)


@pytest.mark.parametrize("end", [lambda wait: wait.end(NtStatus.CANCELLED), LockWait.give_up])
def test_a_cancelled_one_leaves_the_queue_and_is_not_granted_later(end):
    locks = holding(exclusive("a", 0, 10))
    first, second = locks.wait(exclusive("b", 0, 10)), locks.wait(exclusive("c", 0, 10))
    end(first)
    assert list(locks.waits) == [second]
    locks.drop("a")
    assert first.status == NtStatus.CANCELLED
    assert (second.over, second.status) == (True, 0)
    assert locks.held == 1


def test_a_cancel_behind_the_grant_comes_too_late():
    locks = holding(exclusive("a", 0, 10))
    wait = locks.wait(exclusive("b", 0, 10))
    locks.drop("a")
    wait.end(NtStatus.CANCELLED)
    assert wait.status == 0
    assert locks.of("b") == [exclusive("b", 0, 10)]


def test_one_file_takes_only_so_many_locks():
    locks = holding(*(shared("a", 2 * place, 1) for place in range(_MOST_HELD)))
    with pytest.raises(NtError) as caught:
        locks.try_lock(shared("b", 2 * _MOST_HELD, 1))
    assert caught.value.status == NtStatus.INSUFFICIENT_RESOURCES
    locks.unlock("a", [(0, 1)])
    assert locks.try_lock(shared("b", 2 * _MOST_HELD, 1))


def test_all_files_together_take_only_so_many_locks():
    budget = LockBudget(left=2)
    one, other = ByteRangeLocks(budget), ByteRangeLocks(budget)
    assert one.try_all([exclusive("a", 0, 1), shared("a", 5, 1)])
    with pytest.raises(NtError) as caught:
        other.try_all([exclusive("b", 0, 1)])
    assert caught.value.status == NtStatus.INSUFFICIENT_RESOURCES
    one.drop("a")
    assert budget.left == 2
    assert other.try_all([exclusive("b", 0, 1)])


def test_several_locks_for_which_there_is_no_room_leave_nothing():
    budget = LockBudget(left=2)
    locks = ByteRangeLocks(budget)
    with pytest.raises(NtError):
        locks.try_all([exclusive("b", place, 1) for place in range(3)])
    assert (locks.held, budget.left) == (0, 2)


def test_a_place_in_the_queue_for_which_there_is_no_room_is_refused_not_forgotten():
    budget = LockBudget(left=1)
    locks = ByteRangeLocks(budget)
    assert locks.try_lock(exclusive("a", 0, 10))
    wait = locks.wait(exclusive("b", 0, 10))
    budget.left -= 1  # by another file
    locks.drop("a")
    assert wait.status == NtStatus.INSUFFICIENT_RESOURCES
    assert not locks.waits


def test_the_queue_for_one_file_has_an_end():
    locks = holding(exclusive("a", 0, 10))
    places = [locks.wait(exclusive("b", 0, 10)) for _ in range(_MOST_WAITS)]
    with pytest.raises(NtError) as caught:
        locks.wait(exclusive("b", 0, 10))
    assert caught.value.status == NtStatus.INSUFFICIENT_RESOURCES
    places[7].give_up()
    locks.wait(exclusive("b", 0, 10))


def test_of_several_unlocks_those_before_a_wrong_one_count():
    locks = holding(*(exclusive("a", place, 1) for place in range(4)))
    waiting = locks.wait(exclusive("b", 0, 2))
    with pytest.raises(NtError):
        locks.unlock("a", [(0, 1), (1, 1), (9, 1), (2, 1)])
    assert (waiting.over, waiting.status) == (True, 0)
    assert locks.of("a") == [exclusive("a", 2, 1), exclusive("a", 3, 1)]


@pytest.mark.parametrize(
    "call",
    [
        lambda locks: locks.forbid("a", 0, 1 << 40, writing=False),
        lambda locks: locks.forbid("b", 1, 1 << 40, writing=True),
        lambda locks: locks.try_all(
            [shared("a", 0, (1 << 40) + n) for n in range(250)] + [exclusive("c", 0, 9)]
        ),
        lambda locks: (
            locks.try_all([shared("a", 0, 1 << 40)]) and locks.unlock("a", [(0, 1 << 40)])
        ),
    ],
    ids=["own READ", "another's WRITE", "250 in front of all", "LOCK and UNLOCK"],
)
def test_many_locks_cost_a_request_hardly_more_than_few(call):
    few = holding(*(exclusive("a", 8 * place, 1) for place in range(20)))
    many = holding(*(exclusive("a", 8 * place, 1) for place in range(7900)))
    assert instructions(lambda: call(many)) < 2 * instructions(lambda: call(few))


# --- any locks, against the plainest model there is ---


def overlap(one, offset, length):
    return one.offset < offset + length and offset < one.offset + one.length


def grantable(held, wanted):
    return not any(
        overlap(lock, wanted.offset, wanted.length)
        for lock in held
        if (lock.exclusive or wanted.exclusive)
        and not (lock.owner is wanted.owner and not wanted.exclusive)
    )


owners = st.sampled_from("abc")
places = st.integers(0, 12)
ranges = st.builds(ByteRange, owners, places, places, st.booleans())
unlocks = st.tuples(owners, st.lists(st.tuples(places, places), min_size=1, max_size=3))
steps = st.lists(
    st.one_of(
        ranges,
        ranges,
        unlocks,
        owners,
        ranges.map(lambda wanted: ("wait", wanted)),
        st.integers(0, 9),
    ),
    max_size=40,
)


class PlainLocks:
    """The plainest model there is: a list of locks, and a list of those that wait."""

    def __init__(self):
        self.held = []
        self.waits = []
        self.granted = []

    def lock(self, wanted):
        got = grantable(self.held, wanted)
        self.held += [wanted] * got
        return got

    def unlock(self, owner, ranges):
        """Whether each of them was held."""
        for offset, length in ranges:
            mine = [
                one
                for one in self.held
                if (one.owner, one.offset, one.length) == (owner, offset, length)
            ]
            if not mine:
                self.grant()
                return False
            self.held.remove(max(mine, key=lambda lock: lock.exclusive))
        self.grant()
        return True

    def drop(self, owner):
        self.waits = [one for one in self.waits if one.owner is not owner]
        self.held = [one for one in self.held if one.owner is not owner]
        self.grant()

    def grant(self):
        for one in list(self.waits):
            if self.lock(one):
                self.waits.remove(one)
                self.granted.append(one)


@pytest.mark.parametrize("few", [1, FEW])
@given(steps=steps)
def test_locks_unlocks_waits_and_closes_in_any_order_do_as_a_plain_list_does(few, steps):
    """Also where they are counted and sorted from the second one on."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("smbd.state.locks.FEW", few)
        patch.setattr("smbd.state.lock_sets.FEW", few)
        carry_out(steps)


def carry_out(steps):
    locks, model = ByteRangeLocks(), PlainLocks()
    granted = []
    for step in steps:
        if isinstance(step, ByteRange):
            assert locks.try_lock(step) is model.lock(step)
        elif isinstance(step, str):
            locks.drop(step)
            model.drop(step)
        elif isinstance(step, int):
            give_up(locks, model, step)
        elif step[0] == "wait":
            wait(locks, model, step[1], granted)
        else:
            with nullcontext() if model.unlock(*step) else pytest.raises(NtError):
                locks.unlock(*step)
        assert locks.held == len(model.held)
        assert granted == model.granted
        assert [one.wanted for one in locks.waits] == model.waits
    for owner in "abc":
        assert Counter(locks.of(owner)) == Counter(one for one in model.held if one.owner == owner)
        for offset in range(25):
            for length in (1, 3):
                agree(locks, model.held, owner, offset, length)


def give_up(locks, model, number):
    if number < len(model.waits):
        list(locks.waits)[number].give_up()
        del model.waits[number]


def wait(locks, model, wanted, granted):
    if not grantable(model.held, wanted):
        place = locks.wait(wanted)
        place.wake = lambda: place.status or granted.append(place.wanted)
        model.waits.append(wanted)


def agree(locks, held, owner, offset, length):
    here = [lock for lock in held if overlap(lock, offset, length)]
    others = any(lock.exclusive and lock.owner is not owner for lock in here)
    shared_here = any(not lock.exclusive for lock in here)
    assert forbidden(locks, owner, offset, length, writing=False) is others
    assert forbidden(locks, owner, offset, length, writing=True) is (others or shared_here)


# --- memory ---


def spread(files, owners, locks):
    """So many locks of so many owners on each of so many files."""
    many = []
    for _ in range(files):
        many.append(ByteRangeLocks())
        for owner in range(owners):
            for place in range(locks):
                lock = exclusive(owner, (1 << 40) + 4096 * owner + place, 1)
                assert many[-1].try_lock(lock)
    return many


@pytest.mark.parametrize(
    ("files", "owners", "locks"),
    [(1000, 1, 1), (200, 1, FEW + 1), (100, FEW + 1, 1), (1, 1000, 1), (1, 1, 10_000)],
    ids=["one a file", "some a file", "some owners of one", "many owners", "one owner of many"],
)
def test_a_lock_takes_less_memory_than_is_counted_for_it(files, owners, locks):
    """Less than 500 bytes, beside what a file without locks takes."""
    tracemalloc.start()
    try:
        spread(files, 0, 0)  # what is made once
        before = tracemalloc.get_traced_memory()[0]
        without = spread(files, 0, 0)
        between = tracemalloc.get_traced_memory()[0]
        with_locks = spread(files, owners, locks)
        after = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert len(without) == len(with_locks)
    taken = ((after - between) - (between - before)) / (files * owners * locks)
    assert taken < LOCK <= 500
