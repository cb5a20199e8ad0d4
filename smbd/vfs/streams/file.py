"""An open stream: the data is its own, all that is known about it is its file's."""

import contextlib
import os
from typing import NamedTuple

from smbd.ntstatus import NtError, NtStatus
from smbd.vfs.file import File, Key
from smbd.vfs.lookup import closed_on_error
from smbd.vfs.names import fold
from smbd.vfs.place import Maker
from smbd.vfs.recycling import Kept
from smbd.vfs.streams import attribute, content, store
from smbd.vfs.streams.attribute import Reference
from smbd.vfs.streams.content import Content
from smbd.vfs.streams.turns import in_turn

# [MS-FSA] has no bound.  The kernel lists 64 KiB of attributes' names, and each stream that is
# listed costs a system call.
_MOST = 256
_SPARSE_UNIT = 512  # st_blocks
_OBJECTS = 2_048  # bytes, measured with tracemalloc


class StreamFile(File):
    """A named stream of a file or directory; `fd` is the data's, `described` is the file."""

    __slots__ = ("_content", "_file", "_is_data")

    def __init__(self, file: File, opened: Content, *, read: bool, write: bool) -> None:
        """Own the open file and the content, of which it is a user already."""
        self._file = file
        self._content = opened
        self._is_data = False  # it has become the file's data: see `become_data`
        self.root = file.root
        self.asks_others = file.asks_others
        self.crossed = file.crossed
        self.created_in = file.created_in
        self.symlink = file.symlink
        self.fd = -1
        self.is_directory = False
        self.device, self.inode = file.identity
        self.readable, self.writable = read, write
        opened.join(self, self._mode)
        self.target = self.fd

    @property
    def _mode(self) -> int:
        if not self.writable:
            return os.O_RDONLY
        return os.O_RDWR if self.readable else os.O_WRONLY

    @property
    def path(self) -> str:
        """The path of its file."""
        return self._file.path

    @path.setter
    def path(self, path: str) -> None:
        self._file.path = path

    @property
    def key(self) -> Key:
        """What is equal for every open of the same stream."""
        return self.identity if self._is_data else self._content.key

    @property
    def stream(self) -> str | None:
        """Its name as it was given."""
        return None if self._is_data else self._content.name

    @property
    def label(self) -> str:
        """Its path for people, with the stream."""
        return self.path if self._is_data else f"{self.path}:{self.stream}"

    @property
    def described(self) -> File:
        """Its file."""
        return self._file

    @property
    def memory(self) -> int:
        """Bytes of memory that it takes for as long as it is open, beside any open's."""
        return _OBJECTS + self._content.memory

    def has_moved_others(self) -> bool:
        """Whether descriptors of other opens have become those of another file; asked once."""
        moved, self._content.moved = self._content.moved, False
        return moved

    def absolute_path_below(self, root: str) -> str:
        """As of its file."""
        return self._file.absolute_path_below(root)

    def is_by_link_of(self, other: File) -> bool:
        """As of its file."""
        return self._file.is_by_link_of(other.described)

    def settle(self) -> None:
        """Put the content back; OSError."""
        if self.writable and not self._is_data:
            self._content.save(self._file, sync=False)

    def flush(self) -> None:
        """Put the content back, and have it on the disk; OSError."""
        if self._is_data:
            os.fsync(self.fd)
        elif self.writable:
            self._content.save(self._file, sync=True)

    def remove(self) -> None:
        """Remove the stream, its file stays; OSError, NtError(ACCESS_DENIED) if read-only."""
        if self._is_data:
            self._file.remove()
            return
        self.root.check_writable()
        self._content.remove(self._file)

    def delete(self) -> Kept | None:
        """The same for a client: a stream is not kept, but its file is."""
        if self._is_data:
            return self._file.delete()
        self.remove()
        return None

    def rename(self, stream: str, *, replace: bool) -> None:
        """Give the stream another name: [MS-FSA] 2.1.5.15.11.1.  Blocks.

        Only an empty one is replaced; the caller knows that nobody has it open.  Raises NtError:
        OBJECT_NAME_COLLISION, INVALID_PARAMETER, ACCESS_DENIED in a read-only share; OSError.
        """
        self.root.check_writable()
        with in_turn(self._file.identity):
            there = attribute.find(self._file, stream)
            if there is not None and fold(there[0]) != fold(self._content.name):
                if not replace:
                    raise NtError(NtStatus.OBJECT_NAME_COLLISION)
                if _measured(self._file, *there).size:
                    raise NtError(NtStatus.INVALID_PARAMETER)
                attribute.remove(self._file, there[1])
            if stream != self.stream:
                self._content.rename(self._file, stream)

    def copy_to_data(self) -> "Copied":
        """Copy the content to the data of its file, which is empty.  Blocks.

        Raises NtError: INVALID_PARAMETER if that is not so, ACCESS_DENIED in a read-only share;
        OSError, and the data is empty again.
        """
        self.root.check_writable()
        data = os.open(content.proc_name(self._file.fd), self._mode | os.O_CLOEXEC)
        with closed_on_error(data):
            return Copied(data, self._content.copy_to_data(self._file))

    def become_data(self, copied: "Copied") -> bool:
        """From now on its descriptor is that of the data; False if others have changed the content.

        Then it is to be copied again.  Waits for nothing.  The stream is there still:
        `remove_content`.
        """
        if self._content.state() != copied.state:
            return False
        os.dup2(copied.fd, self.fd, inheritable=False)
        self._is_data = True
        return True

    def remove_content(self) -> None:
        """Remove the stream that has become the data.  Blocks; OSError."""
        self._content.remove(self._file)

    def close(self) -> None:
        """Close it with its file; a second call does nothing."""
        if self.fd < 0:
            return
        with contextlib.ExitStack() as closing:
            closing.callback(self._file.close)
            closing.callback(self._content.release, self._file)
            self._content.leave(self)


class Copied(NamedTuple):
    """The data of a file, with the content of a stream."""

    fd: int  # of the data, open as the stream is
    state: tuple[int, ...]  # of the content when it was copied


def open_stream(file: File, stream: str, *, read: bool, write: bool) -> StreamFile:
    """Open a stream that is there, of an open file, which is the stream's own from then on.

    `file` is open as the stream is to be, a directory for reading alone.  Blocks.  Raises NtError:
    OBJECT_NAME_NOT_FOUND, OBJECT_NAME_INVALID where there can be none, ACCESS_DENIED; OSError.
    """
    store.check_streams(file)
    if write:
        file.root.check_writable()
    opened = content.acquire(file, stream, write=write)
    try:
        return StreamFile(file, opened, read=read or not write, write=write)
    except BaseException:
        opened.release(file)
        raise


def create_stream(file: File, stream: str, maker: Maker) -> None:
    """Make a stream, which is empty.  Blocks.

    Raises NtError: OBJECT_NAME_COLLISION, OBJECT_NAME_INVALID where there can be none,
    ACCESS_DENIED in a read-only share, INSUFFICIENT_RESOURCES for one too many, DISK_FULL; OSError.
    """
    store.check_streams(file)
    file.root.check_writable()
    folded = fold(stream)
    with in_turn(file.identity):
        there = attribute.listed(file)
        for name, its in there.items():
            if fold(name) == folded:
                value = attribute.load(file.target, its)
                if not isinstance(value, Reference) or store.size_of(file, value) is not None:
                    raise NtError(NtStatus.OBJECT_NAME_COLLISION)
                attribute.remove(file, its)  # its content was removed from the store
        if len(there) >= _MOST:
            raise NtError(NtStatus.INSUFFICIENT_RESOURCES)
        maker.makes((*file.identity, folded))
        attribute.keep(file, attribute.attribute_of(stream), b"")


def has_stream(file: File, stream: str) -> bool:
    """Whether a file has this stream, in any spelling.  Errors as `open_stream`."""
    store.check_streams(file)
    return attribute.find(file, stream) is not None


def has_streams(file: File) -> bool:
    """Whether a file has any named stream; waits for no more than its metadata does; OSError."""
    file = file.described
    try:
        return file.root.has_streams and bool(attribute.listed(file))
    except NtError:
        return False


class Measured(NamedTuple):
    """A stream as FileStreamInformation has it."""

    name: str
    size: int
    allocation: int


def list_streams(file: File) -> list[Measured]:
    """The named streams of an open file, or of the one whose stream it is.  Blocks; OSError.

    None where the share or the file system has none.
    """
    file = file.described
    if not file.root.has_streams:
        return []
    try:
        streams = attribute.listed(file)
    except NtError:
        return []
    return [_measured(file, name, its) for name, its in list(streams.items())[: 2 * _MOST]]


def _measured(file: File, name: str, its: bytes) -> Measured:
    status = content.size_if_open(file, name)
    if status is None:
        value = attribute.load(file.target, its)
        if not isinstance(value, Reference):
            size = len(value or b"")
            return Measured(name, size, -(-size // 8) * 8)
        status = store.size_of(file, value)
        if status is None:
            return Measured(name, 0, 0)
    return Measured(name, status.st_size, status.st_blocks * _SPARSE_UNIT)


def remove_streams(file: File) -> None:
    """Remove all named streams of an open file, of which none is open.  Blocks; OSError."""
    for stream in list_streams(file):
        remove_stream(file, stream.name)


def remove_stream(file: File, stream: str) -> None:
    """Remove a stream that is not open from an open file, if it is there.  Blocks; OSError."""
    there = attribute.find(file, stream)
    if there is not None:
        attribute.remove(file, there[1])


def small_content(file: File, stream: str) -> bytes:
    """The content of a stream of this very name, as it was put back last; OSError.

    Nothing where there is no such stream, or a large one.
    """
    value = attribute.load(file.described.target, attribute.attribute_of(stream))
    return value if isinstance(value, bytes) else b""
