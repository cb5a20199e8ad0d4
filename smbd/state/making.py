"""Files that workers make: until its CREATE is over, nobody else has such a file.

It has no attributes, EAs and descriptor yet, and no table knows it, but it has its name: another
CREATE may have opened it, by whichever path, in another share, or by another name of its folder.
So a worker says what it makes, and the loop asks by identity, which is one for all paths.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from smbd.state.waits import Wait
from smbd.vfs import File, Key, fold


@dataclass(slots=True, eq=False)
class Making:
    """What one CREATE makes: nothing, until its worker says so.

    The worker's part is stores into dicts, which the loop finds done or not done.
    """

    _all: "Makings"
    keys: list[Key] = field(default_factory=list)
    _waits: list[Wait] = field(default_factory=list)

    @contextmanager
    def at(self, place: str) -> Iterator[None]:
        """A block in which a worker makes a file, whose File.place is this.

        Until it `makes` the new file's identity known, what is found at that place may be it.
        """
        self._all.places[self] = fold(place)
        try:
            yield
        finally:
            del self._all.places[self]

    def makes(self, key: Key) -> None:
        """The worker makes the file or stream with this File.key."""
        self._all.keys[key] = self
        self.keys.append(key)

    def wait(self) -> Wait:
        """A Wait that is over when the CREATE is."""
        self._waits.append(Wait(for_others=False))
        return self._waits[-1]

    def end(self) -> None:
        """The CREATE is over: others may have what it has made, or it is gone."""
        for key in self.keys:
            if self._all.keys.get(key) is self:
                del self._all.keys[key]
        for wait in self._waits:
            wait.end()


@dataclass(slots=True)
class Makings:
    """All that workers make now."""

    places: dict[Making, str] = field(default_factory=dict)  # folded
    keys: dict[Key, Making] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Whether anything is made now."""
        return bool(self.places or self.keys)  # in this order: see `of`

    def of(self, file: File) -> Making | None:
        """The CREATE that makes a file which somebody else has opened, or may do so."""
        if self.places:  # first: what is made meanwhile moves from here to `keys`
            found = fold(file.place)
            for making, place in self.places.copy().items():
                if place == found:
                    return making
        if not self.keys:
            return None
        return self.keys.get(file.identity) or self.keys.get(file.key)
