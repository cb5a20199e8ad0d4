"""What is in a server's folders, for a test to ask and to change."""

from collections.abc import Mapping
from pathlib import Path

from smbd import content
from smbd.config import Config
from smbd.content import Entry, Folder


class Contents:
    """The files of a server's shares, by their paths in the share: "a/b.txt".

    `share` is a share's name; without it, the first one's.  All of it is done on the disk, behind
    the clients' backs: what one of them caches meanwhile it does not see (`leases=False` has none
    cached).  Works while the server is stopped, too.  Blocks; ValueError for a share that there is
    not.
    """

    config: Config

    def read(self, path: str, *, share: str | None = None, stream: str | None = None) -> bytes:
        """The data of a file, or of its named stream; OSError, as FileNotFoundError."""
        return content.read(self._folder(share), path, stream)

    def write(
        self, path: str, entry: Entry, *, share: str | None = None, stream: str | None = None
    ) -> None:
        """Have a file hold text or bytes, or all that a File says; folders above it are made.

        A dict makes a folder.  Raises OSError; TypeError or ValueError for what cannot be.
        """
        content.put(self._folder(share), path, entry, stream)

    def tree(self, path: str = "", *, share: str | None = None) -> Folder:
        """All that is in a folder, as `tree=` has it: `assert server.tree() == {"a": "text"}`.

        Equal is what has the same names and content, and all else that the other side says.
        """
        return content.read_tree(self._folder(share), path)

    def _folder(self, share: str | None) -> Path:
        folders: Mapping[str, Path] = {one.name: one.path for one in self.config.shares}
        if share is None:
            return next(iter(folders.values()))
        if share not in folders:
            raise ValueError(f'there is no share "{share}"; there are {", ".join(folders)}')
        return folders[share]
