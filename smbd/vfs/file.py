"""An open file or directory of a share, and the name by which it was opened."""

import os
import stat
from typing import TYPE_CHECKING, NamedTuple, Self

from aio import kernel
from aio.inodes import busy
from aio.mounted import Look
from smbd.vfs.at_once import AtOnce
from smbd.vfs.blocking import traits
from smbd.vfs.lookup import PROC_FDS, absolute_path_of
from smbd.vfs.mounts import one_path
from smbd.vfs.names import path_to_name

if TYPE_CHECKING:
    from smbd.vfs.recycling import Kept
    from smbd.vfs.root import Root
    from smbd.wire.fscc import FileInformation

# (device, inode), and of a stream its name as it is compared.
Key = tuple[int, int] | tuple[int, int, str]

_GONE = " (deleted)"  # what /proc says behind the path of a name that was removed


class Examined(NamedTuple):
    """What `smbd.vfs.examine` has found out of a file."""

    raw: bytes  # its status, as `kernel.statx_of` takes it
    information: "FileInformation"
    young: bool | None  # that holds only while it has no records; None: it has others


class File:
    """An open file or directory of a share.

    `target` is what os.utime, os.setxattr and the like take: the descriptor, or for one that is
    O_PATH (opened for neither reading nor writing) its name in /proc.
    """

    __slots__ = (
        "asks_others",
        "created_in",
        "crossed",
        "dates_records",
        "device",
        "examined",
        "fd",
        "inode",
        "is_directory",
        "look",
        "path",
        "readable",
        "root",
        "seen",
        "symlink",
        "target",
        "writable",
    )

    def __init__(
        self,
        root: "Root",
        path: str,
        fd: int,
        look: Look,
        *,
        read: bool,
        write: bool,
    ) -> None:
        self.root = root
        self.path = path
        # Where it asks others, nothing is asked of it in the event loop.
        self.asks_others, self.dates_records = traits(look)
        self.crossed = False  # a symbolic link was on the way
        self.created_in: tuple[int, int] | None = None  # the identity of the directory
        # Where the symbolic link lies by which it was opened, behind those on the way to it: its
        # path below the share's folder.  "": its name is none.
        self.symlink = ""
        # How the kernel has described it as it was opened, until `examine` has taken that: as
        # `kernel.statx_of` takes it, and unpacked.
        self.seen: tuple[bytes, kernel.Statx] | None = None
        self.examined: Examined | None = None  # until `told_lately` takes it
        self.fd = fd
        self.look = look
        self.is_directory = stat.S_ISDIR(look.st_mode)
        self.device = look.st_dev
        self.inode = look.st_ino
        self.readable = read
        self.writable = write
        self.target: int | str = fd if read or write else f"{PROC_FDS}/{fd}"

    @property
    def identity(self) -> tuple[int, int]:
        """(device, inode): equal for every open of one file, whatever its name."""
        return self.device, self.inode

    @property
    def is_symlink(self) -> bool:
        """Whether the name by which it was opened is a symbolic link."""
        return bool(self.symlink)

    @property
    def at_once(self) -> AtOnce | None:
        """Whether the loop may change what belongs to it; None: never."""
        return self.root.file_systems.at_once(self.device)

    @property
    def key(self) -> Key:
        """What is equal for every open of the same data: (device, inode), or also a stream."""
        return self.device, self.inode

    @property
    def stream(self) -> str | None:
        """The name of the stream that is open; None for the data of the file, or a directory."""
        return None

    @property
    def label(self) -> str:
        """Its path for people, with the stream."""
        return self.path

    @property
    def described(self) -> "File":
        """The file that times, attributes, EAs, security and name belong to: of a stream, its."""
        return self

    @property
    def has_data(self) -> bool:
        """Whether the descriptor reads or writes: an engine has to do with no other."""
        return self.readable or self.writable

    @property
    def memory(self) -> int:
        """Bytes of memory that it takes for as long as it is open, beside any open's."""
        return 0

    def has_moved_others(self) -> bool:
        """Whether descriptors of other opens have become those of another file; asked once."""
        return False

    def settle(self) -> None:
        """Have what was written where the next open finds it.  Blocks; OSError.

        Data of a file is there already; that of a stream may have to be put back.
        """

    def flush(self) -> None:
        """Have what was written on the disk.  Blocks; OSError."""
        with busy(self.fd, strains=True):
            os.fsync(self.fd)

    def remove(self) -> None:
        """Remove the name by which it was opened, or a stream.  Blocks; errors as Root.remove."""
        self.root.remove(self)

    def delete(self) -> "Kept | None":
        """The same for a client, whose share may keep the file: Root.delete."""
        return self.root.delete(self)

    @property
    def absolute_path(self) -> str:
        """The absolute path of the name by which it was opened, one for all shares."""
        return self.absolute_path_below(self.root.absolute_path)

    def absolute_path_below(self, root: str) -> str:
        """The same below the absolute path `root` of the share: most need no system call."""
        path = self.path
        if self.crossed:
            if not self.symlink:
                return one_path(absolute_path_of(self.described.fd))
            path = self.symlink
        return one_path(f"{root}/{path}") if path else root

    @property
    def place(self) -> str:
        """The absolute path of the file itself, behind all symbolic links; asks no disk.

        One for all names that lead to it by symbolic links, in all shares; of a deleted file the
        last one that it had.  "" is the root of the file system.
        """
        found = one_path(absolute_path_of(self.described.fd))
        if found.endswith(_GONE):
            return self._last_place(found)
        return "" if found == "/" else found or self.absolute_path

    def _last_place(self, found: str) -> str:
        """The place of a file whose name the kernel takes for deleted, if it is not called so."""
        if not self.crossed:
            return self.absolute_path
        above, _, name = found.rpartition("/")
        name = name.removesuffix(_GONE) if self.is_symlink else self.path.rpartition("/")[2]
        return f"{above}/{name}"

    @property
    def place_of_name(self) -> str:
        """The same of the name by which it was opened, which may be a symbolic link itself."""
        return self.absolute_path if self.is_symlink else self.place

    def is_by_link_of(self, other: "File") -> bool:
        """Whether both, which are one file, were opened by one name of it.  Waits for nothing.

        A symbolic link is a name of its own.
        """
        if self.root is other.root and self.path == other.path:
            return True
        if self.is_symlink or other.is_symlink:
            return (
                self.is_symlink and other.is_symlink and self.absolute_path == other.absolute_path
            )
        mine, others = one_path(absolute_path_of(self.fd)), one_path(absolute_path_of(other.fd))
        if mine and mine == others:
            return True
        if mine.endswith(_GONE) or others.endswith(_GONE):
            # A rename onto another link of the same file removes the name that the kernel knows;
            # `path` says which one it then is.
            return self.absolute_path == other.absolute_path
        # Without /proc, by several mounts, or where the file system ignores case, they may differ.
        return self.is_directory or _links(self.fd) == 1

    @property
    def name(self) -> str:
        """The last component as SMB says it; "" for the root."""
        return path_to_name(self.path.rpartition("/")[2])

    def close(self) -> None:
        """Close the descriptor; a second call does nothing."""
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc_info: object) -> None:
        self.close()


def _links(fd: int) -> int:
    """The count of an open file's links as far as it is known here."""
    return kernel.statx(
        b"", dir_fd=fd, flags=kernel.AT_EMPTY_PATH | kernel.AT_STATX_DONT_SYNC
    ).nlink
