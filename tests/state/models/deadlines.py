"""Deadlines, beside a list of those that wait."""

from dataclasses import dataclass
from math import inf

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from smbd.state import Deadline, Deadlines

NUMBER = st.integers(0, 1 << 16)
SECONDS = st.sampled_from((0.0, 1.0, 2.0, 2.0, 5.0))


class ActError(Exception):
    """What an act of a story raises."""


@dataclass(eq=False)
class Awaited:
    """One deadline of the model: when it is due, and what its act does beside being noted."""

    number: int
    due: float
    effect: str = ""  # "cancel" another, "add" one more, "fail"
    other: "Awaited | None" = None
    real: Deadline | None = None


class DeadlinesMachine(RuleBasedStateMachine):
    """Deadlines come, are cancelled, and pass; acts do the same, or fail."""

    def __init__(self):
        super().__init__()
        self.deadlines = Deadlines()
        self.deadlines.earlier = self._rung
        self.rung = 0
        self.now = 0.0
        self.made = 0
        self.waiting: list[Awaited] = []  # in the order they came
        self.done = []

    def _rung(self):
        self.rung += 1

    def _add(self, due, effect="", other=None):
        first = min((one.due for one in self.waiting), default=inf)
        rung = self.rung + (due < first)
        self.made += 1
        one = Awaited(self.made, due, effect, other)
        one.real = self.deadlines.at(due, lambda: self._act(one))
        self.waiting.append(one)
        assert self.rung == rung

    def _act(self, one):
        """The real act; it keeps the model's list as it goes, as a plain list would be kept."""
        self.done.append(one.number)
        self.waiting.remove(one)
        if one.effect == "cancel":
            self._cancel(one.other)
        elif one.effect == "add":
            self.deadlines.earlier = lambda: None  # rings or not: a pass is under way
            self.made += 1
            more = Awaited(self.made, self.now)
            more.real = self.deadlines.at(more.due, lambda: self._act(more))
            self.waiting.append(more)
            self.deadlines.earlier = self._rung
        elif one.effect == "fail":
            raise ActError

    def _cancel(self, one):
        one.real.cancel()
        if one in self.waiting:
            self.waiting.remove(one)

    @rule(seconds=SECONDS, effect=st.sampled_from(("", "", "add", "fail")))
    def at(self, seconds, effect):
        self._add(self.now + seconds, effect)

    @precondition(lambda self: self.waiting)
    @rule(seconds=SECONDS, number=NUMBER)
    def at_to_cancel_another(self, seconds, number):
        other = self.waiting[number % len(self.waiting)]
        self._add(self.now + seconds, "cancel", other)

    @rule(count=st.sampled_from((1, 80)))
    def at_and_think_better_of_it(self, count):
        for _ in range(count):
            self.deadlines.at(self.now + 3.0, self._never).cancel()

    def _never(self):
        raise AssertionError("it was cancelled")

    @precondition(lambda self: self.waiting)
    @rule(number=NUMBER, again=st.booleans())
    def cancel(self, number, again):
        one = self.waiting[number % len(self.waiting)]
        self._cancel(one)
        if again:
            one.real.cancel()

    @rule(seconds=SECONDS)
    def pass_(self, seconds):
        self.now += seconds
        due = sorted(
            (one for one in self.waiting if one.due <= self.now),
            key=lambda one: (one.due, one.number),
        )
        expected, cancelled, fails = [], [], False
        for one in due:
            if one in cancelled:
                continue
            expected.append(one.number)
            cancelled.append(one.other)
            if one.effect == "fail":
                fails = True
                break
        self.done = []
        try:
            self.deadlines.pass_(self.now)
        except ActError:
            assert fails
        else:
            assert not fails
        assert self.done == expected

    @invariant()
    def both_say_the_same(self):
        assert len(self.deadlines) == len(self.waiting)
        assert self.deadlines.next == min((one.due for one in self.waiting), default=inf)
        assert not any(one.real.is_over for one in self.waiting)
