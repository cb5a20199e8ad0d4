"""In which directories there are open files: a directory with some in it, however deep, stays.

What is asked of 10,000 open names in 70 ms is asked of the directories that hold them: in
2 ms where each has one of its own.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from smbd.vfs import File, Root, one_path

_KeyOf = tuple[Root, str | None]


@dataclass(slots=True, eq=False)
class Directory:
    """A directory of a share that holds names of open files."""

    root: Root
    path: str | None  # None: that which holds the share's own folder
    names: int = 0


class Named(Protocol):
    """A link: a name by which a file is open."""

    file: File
    directory: Directory | None  # None: it counts no more, or is one of those that were crossed


@dataclass(slots=True)
class OpenNames:
    """The names of all open files, counted by the directories that hold them."""

    _directories: dict[_KeyOf, Directory] = field(default_factory=dict)
    # Those behind a symbolic link to a directory: only the kernel knows where they are.
    _crossed: dict[Named, None] = field(default_factory=dict)

    def enter(self, link: Named) -> None:
        """Count a name in."""
        file = link.file
        if file.crossed and not file.is_symlink:
            self._crossed[link] = None
            return
        path = file.symlink or file.path
        key = file.root, path.rpartition("/")[0] if path else None
        directory = self._directories.get(key)
        if directory is None:
            directory = self._directories[key] = Directory(*key)
        directory.names += 1
        link.directory = directory

    def leave(self, link: Named) -> None:
        """Count a name out; a second call does nothing."""
        directory, link.directory = link.directory, None
        if directory is None:
            self._crossed.pop(link, None)
            return
        directory.names -= 1
        if not directory.names:
            del self._directories[directory.root, directory.path]

    def moved(self, link: Named) -> None:
        """Count a link by its new name; one that counts no more stays so."""
        if link.directory is not None or link in self._crossed:
            self.leave(link)
            self.enter(link)

    def any_below(self, directory: File) -> bool:
        """Whether a name is inside a directory."""
        above = directory.absolute_path
        return any(self._hold(above)) or any(
            link.file.absolute_path.startswith(above + "/") for link in self._crossed
        )

    def _hold(self, above: str) -> Iterator[bool]:
        """Of each directory whether its names are inside; each share's own path is asked once."""
        prefix = above + "/"
        shares: dict[Root, str] = {}
        for root, path in self._directories:
            share = shares.get(root)
            if share is None:
                share = shares[root] = root.absolute_path
            if path is None:
                yield share.startswith(prefix)
            else:
                holder = one_path(f"{share}/{path}") if path else share
                yield holder == above or holder.startswith(prefix)
