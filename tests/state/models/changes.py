"""Reservations of names and flights of CREATEs, beside lists of them."""

from dataclasses import dataclass, field

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from smbd.state import Change, Changes, Flight, Wait

from ..holders import PaperFile

NUMBER = st.integers(0, 1 << 16)
KEYS = tuple((1, number) for number in range(5))
SOME = st.sets(st.sampled_from(KEYS), max_size=2)
AT_LEAST_ONE = st.sets(st.sampled_from(KEYS), min_size=1, max_size=2)
PATHS = ("d", "d/a", "d/e", "d/e/a", "da", "a")
SOME_PATHS = st.sets(st.sampled_from(PATHS), max_size=2)
FOLDERS_AT = {"d": 3, "d/e": 4}  # in KEYS
FOLDERS = st.sampled_from(("", "", "d", "d/e"))
TO = st.sampled_from(("", "new", "da"))


def absolute(path):
    return path and f"/share/{path}"


def lies_below(path, folders):
    return any(path.startswith(folder + "/") for folder in folders)


@dataclass(eq=False)
class Reserved:
    """A change of the model."""

    files: set
    folders: set
    paths: set
    moving: set
    real: Change | None = None
    waits: list = field(default_factory=list)

    def hinders(self, other):
        """Whether another change has to wait for it."""
        return bool(
            self.files & other.files
            or self.files & other.folders
            or self.folders & other.files
            or any(lies_below(path, self.moving) for path in other.paths)
            or any(lies_below(path, other.moving) for path in self.paths)
            or self.moving & other.moving
        )

    def meets(self, file):
        """Whether it is about a file, the folder that it was made in, or one above it."""
        return (
            file.identity in self.files
            or file.created_in in self.files
            or lies_below(file.absolute_path, self.moving)
        )


@dataclass(eq=False)
class Away:
    """A flight of the model, and every change that has ended since it began."""

    real: Flight
    ended: list = field(default_factory=list)


class ChangesMachine(RuleBasedStateMachine):
    """Changes begin and end while CREATEs are away."""

    def __init__(self):
        super().__init__()
        self.changes = Changes()
        self.reserved: list[Reserved] = []
        self.away: list[Away] = []

    @rule(files=AT_LEAST_ONE, folders=SOME, paths=SOME_PATHS, moving=FOLDERS, to=TO)
    def begin(self, files, folders, paths, moving, to):
        places = {absolute(one) for one in (moving, to) if moving and one}
        one = Reserved(files, folders, set(map(absolute, paths)), places)
        if moving:
            # Only a directory moves, which nothing else may do meanwhile.
            one.files = one.files | {KEYS[FOLDERS_AT[moving]]}
        made = self.changes.begin(one.files, one.folders, tuple(one.paths), tuple(one.moving))
        hindering = [other for other in self.reserved if other.hinders(one)]
        if hindering:
            self._waits_for_one_of(hindering, made)
        else:
            assert isinstance(made, Change)
            one.real = made
            self.reserved.append(one)

    def _waits_for_one_of(self, hindering, wait):
        assert isinstance(wait, Wait)
        assert not wait.over
        (over,) = (other for other in hindering if wait in other.real._waits)
        over.waits.append(wait)

    @precondition(lambda self: self.reserved)
    @rule(number=NUMBER)
    def end(self, number):
        one = self.reserved.pop(number % len(self.reserved))
        woken = []
        for wait in one.waits:
            wait.wake = lambda wait=wait: woken.append(wait)
        one.real.end()
        assert woken == one.waits
        for away in self.away:
            away.ended.append(one)

    @rule()
    def leave_for_a_worker(self):
        flight = self.changes.flight()
        flight.__enter__()
        self.away.append(Away(flight))

    @precondition(lambda self: self.away)
    @rule(number=NUMBER)
    def look_again(self, number):
        away = self.away[number % len(self.away)]
        away.real.begin()
        away.ended = []

    @precondition(lambda self: self.away)
    @rule(number=NUMBER)
    def land(self, number):
        self.away.pop(number % len(self.away)).real.__exit__()
        files, moving = self._known()
        assert set(self.changes._ended) == files
        assert set(self.changes._moved) == moving

    def _known(self):
        """What has ended while somebody who is still away was away."""
        known = [one for away in self.away for one in away.ended]
        return (
            set().union(*(one.files for one in known)),
            set().union(*(one.moving for one in known)),
        )

    @precondition(lambda self: self.away)
    @rule(
        number=NUMBER,
        key=st.sampled_from(KEYS),
        path=st.sampled_from(PATHS),
        created_in=st.sampled_from((None, *KEYS)),
    )
    def meet(self, number, key, path, created_in):
        away = self.away[number % len(self.away)]
        file = PaperFile(key[1], path, created_in=created_in)
        wait = away.real.meets(file)
        meeting = [one for one in self.reserved if one.meets(file)]
        if any(one.meets(file) for one in away.ended):
            assert wait.over
        elif meeting:
            self._waits_for_one_of(meeting, wait)
        else:
            assert wait is None

    @invariant()
    def what_is_reserved_and_what_has_ended_is_known(self):
        changes = self.changes
        assert set(changes._files) == set().union(*(one.files for one in self.reserved))
        assert set(changes._folders) == set().union(*(one.folders for one in self.reserved))
        assert set(changes._moving) == set().union(*(one.moving for one in self.reserved))
        files, moving = self._known()
        assert files <= set(changes._ended)
        assert moving <= set(changes._moved)
