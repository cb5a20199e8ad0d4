"""What is due is done in its order, at the time that the caller says it is."""

from functools import partial
from itertools import pairwise
from math import inf
from random import Random

import pytest

from smbd.state import Deadlines


class Story:
    """Deadlines, the acts they called, and how often `earlier` was."""

    def __init__(self):
        self.deadlines = Deadlines()
        self.deadlines.earlier = self._earlier
        self.done = []
        self.rung = 0

    def _earlier(self):
        self.rung += 1

    def at(self, due, name):
        return self.deadlines.at(due, lambda: self.done.append(name))


def test_what_is_due_is_done_and_nothing_else():
    story = Story()
    story.at(5.0, "later")
    story.at(3.0, "first")
    story.at(4.0, "second")
    assert story.deadlines.next == 3.0
    story.deadlines.pass_(2.9)
    assert not story.done
    story.deadlines.pass_(4.0)
    assert story.done == ["first", "second"]
    assert story.deadlines.next == 5.0
    assert len(story.deadlines) == 1


def test_of_two_that_are_due_at_once_the_older_one_is_first():
    story = Story()
    for name in range(10):
        story.at(1.0, name)
    story.deadlines.pass_(1.0)
    assert story.done == list(range(10))


def test_where_nothing_is_due_ever_there_is_no_next():
    story = Story()
    assert story.deadlines.next == inf
    story.at(1.0, "it")
    story.deadlines.pass_(1.0)
    assert story.deadlines.next == inf


def test_a_cancelled_one_is_not_done():
    story = Story()
    cancelled = story.at(1.0, "cancelled")
    story.at(2.0, "done")
    cancelled.cancel()
    cancelled.cancel()
    assert story.deadlines.next == 2.0
    assert len(story.deadlines) == 1
    story.deadlines.pass_(2.0)
    assert story.done == ["done"]


def test_to_cancel_what_is_done_already_does_nothing():
    story = Story()
    done = story.at(1.0, "done")
    story.at(2.0, "other")
    story.deadlines.pass_(1.0)
    done.cancel()
    assert len(story.deadlines) == 1
    assert story.deadlines.next == 2.0


def test_an_act_may_cancel_what_is_due_with_it():
    story = Story()
    others = []
    story.deadlines.at(1.0, lambda: others.pop().cancel())
    others.append(story.at(1.0, "other"))
    story.deadlines.pass_(1.0)
    assert not story.done
    assert len(story.deadlines) == 0


def test_what_an_act_adds_is_for_the_next_pass():
    story = Story()

    def again():
        story.done.append("again")
        story.deadlines.at(0.0, again)

    story.deadlines.at(1.0, again)
    story.deadlines.pass_(1.0)
    assert story.done == ["again"]
    assert story.deadlines.next == 0.0


def test_of_many_that_are_due_together_some_are_left_for_the_next_pass():
    deadlines, done = Deadlines(), []
    for number in range(5):
        deadlines.at(1.0, partial(done.append, number))
    deadlines.pass_(1.0, 2)
    assert done == [0, 1]
    assert deadlines.next == 1.0
    deadlines.pass_(1.0, 2)
    deadlines.pass_(1.0, 2)
    assert done == [0, 1, 2, 3, 4]
    assert not len(deadlines)


def test_an_act_that_fails_keeps_no_other_from_its_turn():
    story = Story()

    def fail():
        raise ZeroDivisionError

    story.deadlines.at(1.0, fail)
    story.at(1.0, "other")
    story.at(1.0, "cancelled").cancel()
    with pytest.raises(ZeroDivisionError):
        story.deadlines.pass_(1.0)
    assert len(story.deadlines) == 1
    story.deadlines.pass_(1.0)
    assert story.done == ["other"]


def test_earlier_rings_when_the_first_one_has_moved_forward_and_only_then():
    story = Story()
    first = story.at(5.0, "first")
    assert story.rung == 1
    story.at(6.0, "behind")
    story.at(5.0, "with it")
    assert story.rung == 1
    story.at(4.0, "before")
    assert story.rung == 2
    first.cancel()
    assert story.rung == 2


def test_the_first_one_is_earlier_than_one_that_was_cancelled():
    story = Story()
    story.at(1.0, "cancelled").cancel()
    story.at(2.0, "first")
    assert story.rung == 2


def test_cancelled_ones_do_not_stay_in_memory():
    deadlines = Deadlines()
    kept = [deadlines.at(float(due), lambda: None) for due in range(1000)]
    for due in range(100_000):
        deadlines.at(1e6 + due, lambda: None).cancel()
    assert len(deadlines) == len(kept)
    assert len(deadlines._heap) < 3 * len(kept)


def test_whatever_is_cancelled_the_others_come_in_their_order():
    random, deadlines, done = Random(7), Deadlines(), []
    waiting = {}
    for number in range(3000):
        due = random.random()
        waiting[number] = deadlines.at(
            due, lambda due=due, number=number: done.append((due, number))
        )
        if random.random() < 0.7:
            _, one = (
                waiting.popitem()
                if random.random() < 0.3
                else (0, waiting.pop(next(iter(waiting))))
            )
            one.cancel()
    assert len(deadlines) == len(waiting)
    for tenth in range(11):
        deadlines.pass_(tenth / 10)
    assert {number for _, number in done} == set(waiting)
    assert all(one < other for one, other in pairwise(done))
