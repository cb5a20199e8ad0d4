"""What a tree is made of: folders, files and symbolic links, with all that clients can see of them.

A tree is a dict of names: `{"a": {"b.txt": "text", "c.bin": b"\\0", "link": Symlink("b.txt")}}`.
What is read from a folder has the same shape, knows everything, and is equal to what says less:
`found == {"b.txt": "text"}` asks for names and content, and `File("text", mode=0o444)` for the mode
as well.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Union, Unpack

from smbd.content.details import (
    Bytes,
    Details,
    check_integer,
    checked,
    differences,
    in_bytes,
    is_unusual,
    represented,
    represented_data,
)

Entry = Union[Bytes, "File", "Symlink", "Tree"]
Tree = Mapping[str, "Entry"]

LARGEST_SIZE = 0x7FFF_FFFF_FFFF_FFFF  # sizes are signed on the wire ([MS-FSCC] 2.4)


class Detailed:
    """A file or folder with details, which says of itself what is out of the ordinary.

    What was found has all details.  Shown are those that nobody would expect, and those by which a
    comparison has failed: the difference is to be seen in the message of an assert.
    """

    details: dict[str, Any]  # what is said, or was found
    _found = False
    _differed: frozenset[str] = frozenset()

    def __getattr__(self, name: str) -> Any:
        if name in Details.__annotations__:
            return self.details.get(name)
        raise AttributeError(f"{type(self).__name__} has no {name}")

    def _agrees(self, other: object) -> bool:
        if not isinstance(other, Detailed):
            return True
        found = frozenset(differences(self.details, other.details))
        self._differed |= found
        other._differed |= found  # noqa: SLF001 -- of its own class
        return not found

    def become(self, details: dict[str, Any]) -> None:
        """From now on it is one that was read, with these details."""
        self.details, self._found = details, True

    def _shown(self) -> list[str]:
        return [
            represented(name, value)
            for name, value in self.details.items()
            if not self._found or name in self._differed or is_unusual(name, value)
        ]


class File(Detailed):
    """A file: its data, and all else that clients can see of it.

    `data` is bytes, or text, which is UTF-8.  `size` makes the file longer than its data, by a hole
    of zeros that takes no space.  The rest is as `Details` has it: `mtime`, `created`,
    `attributes`, `mode`, `eas`, `streams`.  Two files are equal if all is equal that both say.
    Raises TypeError or ValueError for what no file can have.
    """

    def __init__(
        self, data: Bytes = b"", *, size: int | None = None, **details: Unpack[Details]
    ) -> None:
        if not isinstance(data, str | bytes):
            raise TypeError(f"a file's data must be str or bytes, not {type(data).__name__}")
        self.start = in_bytes(data)  # behind it there are only zeros
        if size is not None:
            check_integer("size", size, LARGEST_SIZE)
            if size < len(self.start):
                raise ValueError(f"size: {size} is less than the {len(self.start)} bytes of data")
        self.size = len(self.start) if size is None else size
        self.details = checked(details)

    @classmethod
    def found(cls, start: bytes, size: int, details: dict[str, Any]) -> "File":
        """A file as it was read."""
        file = cls(start, size=size)
        file.become(details)
        return file

    @property
    def data(self) -> bytes:
        """All of it: `size` bytes."""
        return self.start.ljust(self.size, b"\0")

    @property
    def text(self) -> str:
        """The data as text; UnicodeDecodeError if it is not UTF-8."""
        return self.data.decode()

    def __eq__(self, other: object) -> bool:
        if isinstance(other, str | bytes):
            other = File(other)
        if not isinstance(other, File):
            return NotImplemented
        same = self.size == other.size and self.start.rstrip(b"\0") == other.start.rstrip(b"\0")
        return self._agrees(other) and same

    __hash__ = None  # type: ignore[assignment]  # what says more is equal to what says less

    def __repr__(self) -> str:
        shown = self._shown()
        if self.size != len(self.start):
            shown.insert(0, f"size={self.size}")
        data = represented_data(self.start)
        return f"File({', '.join((data, *shown))})" if shown or not self._found else data


class Folder(dict[str, Entry], Detailed):
    """A folder that has more than its entries: `Folder({"a": "text"}, attributes=HIDDEN)`.

    It is a dict of the entries, and equal to one; to another Folder if all is equal that both say.
    Details and errors as of File.
    """

    def __init__(self, entries: Tree | None = None, **details: Unpack[Details]) -> None:
        super().__init__(entries or {})
        self.details = checked(details)

    def __eq__(self, other: object) -> bool:
        return dict.__eq__(self, other) and self._agrees(other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        shown, entries = self._shown(), dict.__repr__(self)
        return f"Folder({', '.join((entries, *shown))})" if shown or not self._found else entries


@dataclass(frozen=True, slots=True)
class Symlink:
    """A symbolic link to `target`, which need not be there, and may be outside of the share."""

    target: str

    def __post_init__(self) -> None:
        target: object = self.target  # which no type checker may have looked at
        if not isinstance(target, str) or not target or "\0" in target:
            raise ValueError(f"a symbolic link's target must be a path, not {target!r}")
