"""A line: what comes one after the other is carried out one after the other."""

from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field


@dataclass(slots=True, eq=False)
class LinePlace:
    """A place in a line; `wake` is called when those before it are gone."""

    line: "Line"
    wake: Callable[[], None] = lambda: None

    @property
    def is_first(self) -> bool:
        """Whether all that came before are gone."""
        return self.line.places[0] is self

    def give_up(self) -> None:
        """Leave the line, done or not.  A second call does nothing."""
        places = self.line.places
        if self in places:
            first = self.is_first
            places.remove(self)
            if first and places:
                places[0].wake()


@dataclass(slots=True)
class Line:
    """Places in the order of `join`."""

    places: deque[LinePlace] = field(default_factory=deque)

    def join(self) -> LinePlace:
        """Take the last place."""
        place = LinePlace(self)
        self.places.append(place)
        return place


@dataclass(slots=True)
class Lines:
    """A line for each thing that somebody works on, as long as somebody does."""

    _lines: dict[Hashable, Line] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self._lines)

    def __contains__(self, thing: Hashable) -> bool:
        return thing in self._lines

    def join(self, thing: Hashable) -> LinePlace:
        """Take the last place in the line for a thing."""
        line = self._lines.get(thing)
        if line is None:
            line = self._lines[thing] = Line()
        return line.join()

    def leave(self, thing: Hashable, place: LinePlace) -> None:
        """Give up a place in it, done or not."""
        place.give_up()
        if not place.line.places:
            del self._lines[thing]
