"""One request and its answer, and a choice of such entries."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from fnmatch import fnmatchcase
from typing import Any, overload


@dataclass(frozen=True, slots=True)
class Entry:
    """One request, as its client meant it, and what it was answered.

    `number` counts the entries of one journal from 1 on, in the order of the answers.  Names are
    the specification's: `command` of [MS-SMB2] 2.2.1.2, `status` of [MS-ERREF] without STATUS_.
    """

    number: int
    time: float  # when it came, in seconds since 1970
    seconds: float  # until its answer was made
    client: str  # address and port
    user: str  # "" before a login, and of an anonymous one
    dialect: str  # "3.1.1"; "" before NEGOTIATE
    signed: bool  # as it came; what is sealed needs no signature
    sealed: bool
    command: str
    share: str
    path: str  # from the share's folder on, with slashes; "" for that folder
    status: str | None  # None: the connection was lost before its answer
    offset: int | None = None  # in bytes, of a READ, a WRITE and the first range of a LOCK
    length: int | None = None  # asked for
    count: int | None = None  # done, of a READ and a WRITE
    # What else a command is about, by the specification's names: the disposition and the action of
    # a CREATE, the information class of a SET_INFO and the new name in it, the code of an IOCTL.
    details: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """All of it that is known, `details` among the rest."""
        known = {one.name: getattr(self, one.name) for one in fields(self) if one.name != "details"}
        known["time"], known["seconds"] = round(self.time, 6), round(self.seconds, 6)
        optional = ("offset", "length", "count")
        return {
            name: value
            for name, value in (known | dict(self.details)).items()
            if value is not None or name not in optional
        }

    def matches(self, wanted: Mapping[str, Any]) -> bool:
        """Whether it has all that is wanted: `path` by a pattern with wildcards, case aside."""
        return all(_matches(self, name, value) for name, value in wanted.items())


_NAMES = frozenset(one.name for one in fields(Entry)) - {"details"}
_OF_STATUS = "STATUS_"


def checked(wanted: Mapping[str, Any]) -> Mapping[str, Any]:
    """The same, as entries have it; TypeError for a name that no entry has, before it is asked."""
    for name in wanted:
        if name not in _NAMES and not name.islower():
            raise TypeError(f"{name}: entries have {', '.join(sorted(_NAMES))}, and details")
    chosen = dict(wanted)
    if isinstance(chosen.get("status"), str):
        chosen["status"] = chosen["status"].upper().removeprefix(_OF_STATUS)
    if isinstance(chosen.get("command"), str):
        chosen["command"] = chosen["command"].upper()
    return chosen


def _matches(entry: Entry, name: str, value: Any) -> bool:
    if name not in _NAMES:
        return bool(entry.details.get(name) == value)
    found = getattr(entry, name)
    if name == "path" and isinstance(value, str):
        pattern = value.replace("\\", "/").strip("/")
        return fnmatchcase(found.casefold(), pattern.casefold())
    if name in {"user", "share"} and isinstance(value, str):
        return bool(found.casefold() == value.casefold())
    return bool(found == value)


class Entries(Sequence[Entry]):
    """Entries in the order of their answers; `where` chooses among them."""

    def __init__(self, entries: Sequence[Entry], forgotten: int = 0) -> None:
        """`forgotten` is how many came before them and were given up for the bound."""
        self._entries = tuple(entries)
        self.forgotten = forgotten

    def where(self, **wanted: Any) -> "Entries":
        """Those with all that is wanted: `where(command="READ", path="*.bin", status="SUCCESS")`.

        Names are those of Entry or of its details.  Raises TypeError for one that is neither.
        """
        chosen = checked(wanted)
        return Entries([one for one in self if one.matches(chosen)], self.forgotten)

    @overload
    def __getitem__(self, index: int) -> Entry: ...
    @overload
    def __getitem__(self, index: slice) -> "Entries": ...
    def __getitem__(self, index: int | slice) -> "Entry | Entries":
        """One of them, or a slice."""
        if isinstance(index, slice):
            return Entries(self._entries[index], self.forgotten)
        return self._entries[index]

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries)

    def __eq__(self, other: object) -> bool:
        return list(self) == list(other) if isinstance(other, Sequence) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        """A line each: what a failing test shows."""
        return "\n".join(
            f"{one.number}: {one.command} {one.share}/{one.path} {one.status}" for one in self
        )
