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
    def naming(self, name: str) -> Iterator[None]:
        """A block in which a worker makes an entry of this name, or a stream ":name".

        As long as it lasts, nobody knows the new file's identity: what is called so may be it.
        """
        self._all.names[self] = fold(name)
        try:
            yield
        finally:
            del self._all.names[self]

    def made(self, key: Key) -> None:
        """The worker has made the file or stream with this File.key; inside of the block."""
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

    names: dict[Making, str] = field(default_factory=dict)  # folded, by which it is being made
    keys: dict[Key, Making] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Whether anything is made now."""
        return bool(self.names or self.keys)  # in this order: see `of`

    def of(self, file: File) -> Making | None:
        """The CREATE that makes a file which somebody else has opened, or may do so."""
        if self.names:  # first: what is made meanwhile moves from here to `keys`
            called = _called(file)
            for making, name in self.names.copy().items():
                if name in called:
                    return making
        if not self.keys:
            return None
        return self.keys.get(file.identity) or self.keys.get(file.key)


def _called(file: File) -> tuple[str, ...]:
    """By what names it may be made now, folded; 2 us."""
    name = fold(file.place.rpartition("/")[2])
    return (name,) if file.stream is None else (name, fold(f":{file.stream}"))
