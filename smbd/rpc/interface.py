"""A service as the RPC runtime sees it, and the common parts of its methods."""

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias
from uuid import UUID

from smbd.rpc.ndr import Reader, Row, StubError, Writer
from smbd.rpc.view import ServerView

# Takes the request's parameters, gives the response's stub.
Method: TypeAlias = Callable[[Reader, ServerView], bytes]

MAX_PREFERRED_LENGTH = 0xFFFFFFFF


class Win32:
    """Error codes that the methods return ([MS-ERREF] 2.2)."""

    SUCCESS = 0
    ACCESS_DENIED = 5
    INVALID_PARAMETER = 87
    INVALID_NAME = 123
    INVALID_LEVEL = 124
    MORE_DATA = 234
    BUFFER_TOO_SMALL = 2123  # NERR_BufTooSmall
    NET_NAME_NOT_FOUND = 2310  # NERR_NetNameNotFound
    DEVICE_NOT_SHARED = 2311  # NERR_DeviceNotShared


@dataclass(frozen=True, slots=True)
class Interface:
    """An abstract syntax and its methods by operation number."""

    uuid: UUID
    major: int
    minor: int
    methods: Mapping[int, Method]


@dataclass(slots=True)
class Enumeration:
    """The parameters that the Enum methods of both services have in common.

    Their InfoStruct is a level, the discriminant of a union, which repeats it, and a pointer to a
    container; PreferedMaximumLength and ResumeHandle follow.  For a level that the union does not
    have there is no pointer, and the rest does not matter.
    """

    level: int
    in_union: bool = True
    preferred_maximum: int = MAX_PREFERRED_LENGTH
    resume: int | None = None
    total: int = 0

    @classmethod
    def take(cls, stub: Reader, union: Container[int]) -> "Enumeration":
        """Read the parameters from InfoStruct on; `union` has the levels that the IDL has."""
        level = stub.u32()
        if stub.u32() != level:
            raise StubError
        if level not in union:
            return cls(level, in_union=False)
        if stub.u32():
            stub.no_entries()
        return cls(level, preferred_maximum=stub.u32(), resume=stub.optional_u32())

    def refuse(self, error: int) -> bytes:
        """Answer with no entries."""
        return self._answer((), error)

    def answer(self, rows: Sequence[Row]) -> bytes:
        """Answer with the rows from the resume handle on, as many as the client has room for.

        The handle is the index of the next row: it outlives a change of the list well enough, and
        the server has nothing to keep for it.
        """
        start = self.resume or 0
        rows = rows[start:]
        self.total = len(rows)
        fitting = len(rows)
        if self.preferred_maximum != MAX_PREFERRED_LENGTH:
            fitting = _how_many_fit(rows, self.preferred_maximum)
        if fitting == len(rows):
            self.resume = None if self.resume is None else 0
            return self._answer(rows, Win32.SUCCESS)
        if not fitting:
            return self._answer((), Win32.BUFFER_TOO_SMALL)
        self.resume = None if self.resume is None else start + fitting
        return self._answer(rows[:fitting], Win32.MORE_DATA)

    def _answer(self, rows: Sequence[Row], error: int) -> bytes:
        out = Writer()
        out.u32(self.level)
        out.u32(self.level)
        if self.in_union:
            # A container even when the answer is an error: clients look into it unasked.
            out.pointer(lambda: out.container(rows))
            out.place()
        out.u32(self.total)
        out.optional_u32(self.resume)
        return out.finish(error)


def _how_many_fit(rows: Sequence[Row], limit: int) -> int:
    """How many of the first rows have no more than `limit` bytes in the client's memory."""
    for index, row in enumerate(rows):
        limit -= sum(4 + _size_behind_pointer(value) for value in row)
        if limit < 0:
            return index
    return len(rows)


def _size_behind_pointer(value: int | str | bytes | None) -> int:
    if isinstance(value, str):
        return 2 * len(value) + 2
    return len(value) if isinstance(value, bytes) else 0


def information(level: int, row: Row | None, error: int) -> bytes:
    """The answer of the GetInfo methods: a union of pointers, by level; and None is NULL."""
    out = Writer()
    out.u32(level)
    if error != Win32.INVALID_LEVEL:  # a level that is not known has no arm in the union
        out.pointer(None if row is None else lambda: out.row(row))
    return out.finish(error)


def denied(_stub: Reader, _view: ServerView) -> bytes:
    """Refuse a method that has nothing to give but its error code."""
    return Writer().finish(Win32.ACCESS_DENIED)


def denied_with_parameter(_stub: Reader, _view: ServerView) -> bytes:
    """Refuse a method that tells which parameter was wrong: none."""
    out = Writer()
    out.pointer(None)
    return out.finish(Win32.ACCESS_DENIED)


def denied_enumeration(strings: int, levels: frozenset[int]) -> Method:
    """Refuse an Enum method that has `strings` optional strings before its InfoStruct.

    Over the wire nobody is an administrator: the operator has `tsmbd status`.
    """

    def method(stub: Reader, _view: ServerView) -> bytes:
        for _ in range(strings):
            stub.optional_string()
        asked = Enumeration.take(stub, levels)
        return asked.refuse(Win32.ACCESS_DENIED if asked.in_union else Win32.INVALID_LEVEL)

    return method
