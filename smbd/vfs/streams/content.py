"""The content of streams that are open: one descriptor for all opens of one stream.

READ, WRITE and locks work on files.  So the content of a small stream is put into one when it is
opened, and back into the attribute when a writer closes it; a large one is a file already.  All
opens share it, whichever share and name they came by.  A kill loses what no CLOSE and no FLUSH has
put back, and leaves what was there before.

Readers have it in memory (memfd), which asks no disk: clients read the marks of a whole folder.
What is written may grow to any size, and is in a nameless file of the disk; a writer that comes
later takes the readers along, whose descriptors are that file's then.
"""

import contextlib
import errno
import os
import threading
from hashlib import blake2b
from typing import Protocol

from aio import kernel
from aio.file_systems import EXT4
from smbd.ntstatus import NtError, NtStatus
from smbd.vfs import storage
from smbd.vfs.copying import copy_between
from smbd.vfs.file import File, Key
from smbd.vfs.lookup import PROC_FDS, closed_after
from smbd.vfs.names import fold
from smbd.vfs.streams import attribute, store
from smbd.vfs.streams.attribute import Reference

# A file's DOS attributes and access list want room beside its streams.  ext4 has one block for all
# of a file's extended attributes, other file systems a block or 64 KiB for each.
_MOST_IN_ATTRIBUTE, _MOST_IN_BLOCK = 16_384, 2_048
_LARGEST_ATTRIBUTE = 65_536  # XATTR_SIZE_MAX
_WITH_ONE_BLOCK = frozenset((EXT4,))
_COPIED_AT_ONCE = 16 << 20  # where no blocks can be shared they are in memory meanwhile
_MEMORY_FILE = 4096  # bytes of an empty memfd, about

_lock = threading.Lock()  # held for no system call that may wait
_contents: "dict[Key, Content]" = {}


class Opened(Protocol):
    """One of the opens of a stream, as its content knows it."""

    fd: int


class Content:
    """What all opens of one stream share; any thread may use it."""

    __slots__ = (
        "_had_name", "_is_copied", "_kept", "_lock", "_opens", "_removed", "attribute", "fd", "key",
        "memory", "moved", "name", "named", "place", "users",
    )  # fmt: skip

    def __init__(self, key: Key) -> None:
        self.key = key
        self.name = ""  # as it was given
        self.attribute = b""
        self.fd = -1
        self.memory = 0  # bytes, where it is in memory and not in a file
        self.place: Reference | None = None  # in the store, once the attribute refers to it
        self.named: Reference | None = None  # of one that is there, but that nothing refers to yet
        self.moved = False  # descriptors that others have are of another file since
        self.users = 0
        self._opens: dict[Opened, None] = {}
        self._kept: bytes | None = None  # a digest of the attribute
        self._lock = threading.Lock()
        self._removed = self._had_name = self._is_copied = False

    def opened(self, file: File, stream: str, *, write: bool) -> None:
        """Have a descriptor.  Blocks; NtError(OBJECT_NAME_NOT_FOUND), OSError."""
        with self._lock:
            if self.fd >= 0:
                if write and self.memory:
                    self._leave_memory(file)
                return
            found = attribute.find(file, stream)
            if found is None:
                raise NtError(NtStatus.OBJECT_NAME_NOT_FOUND)
            self.name, self.attribute = found
            self._had_name = os.fstat(file.fd).st_nlink > 0  # not all file systems count
            self._fill(file, write=write)

    def join(self, opened: Opened, mode: int) -> None:
        """Give an open its descriptor; OSError."""
        with self._lock:
            opened.fd = os.open(proc_name(self.fd), mode | os.O_CLOEXEC)
            self._opens[opened] = None

    def leave(self, opened: Opened) -> None:
        """Close the descriptor of an open, once; OSError."""
        with self._lock:
            self._opens.pop(opened, None)
            fd, opened.fd = opened.fd, -1
        if fd >= 0:
            os.close(fd)

    def _fill(self, file: File, *, write: bool) -> None:
        value = attribute.load(file.target, self.attribute)
        if value is None:
            raise NtError(NtStatus.OBJECT_NAME_NOT_FOUND)
        if isinstance(value, Reference):
            self._open(file, value, write=write)
            return
        if write:
            fd = self._make(file)
        else:
            fd = os.memfd_create("smbd-stream", os.MFD_CLOEXEC)
            self.memory = _MEMORY_FILE + len(value)
        try:
            _write(fd, value)
        except BaseException:
            os.close(fd)
            raise
        self.fd, self._kept = fd, _digest(value)

    def _make(self, file: File) -> int:
        if self.named is not None:  # of a try before
            store.forget(file, self.named)
        fd, self.named = store.make(file)
        return fd

    def _leave_memory(self, file: File) -> None:
        """A writer comes: the content goes to a file, and the readers' descriptors with it."""
        fd = self._make(file)
        try:
            _copy(self.fd, fd)
            for opened in self._opens:
                moved = os.open(proc_name(fd), os.O_RDONLY | os.O_CLOEXEC)
                with closed_after(moved):
                    os.dup2(moved, opened.fd, inheritable=False)
        except BaseException:
            os.close(fd)
            raise
        os.close(self.fd)
        self.fd, self.memory, self.moved = fd, 0, bool(self._opens)

    def _open(self, file: File, place: Reference, *, write: bool) -> None:
        """A copy of a file refers to the content of the other: it gets a copy of its own now."""
        try:
            fd = store.open_content(file, place, write=write)
        except FileNotFoundError as error:
            raise NtError(NtStatus.OBJECT_NAME_NOT_FOUND) from error
        if file.root.read_only or store.is_owned(file, fd):
            self.fd, self.place = fd, place
            return
        own = -1
        try:
            own = self._make(file)
            _copy(fd, own)
            self._place(file, own)
        except OSError:
            if own >= 0:
                os.close(own)
            if write:
                os.close(fd)
                raise
            self.fd = fd
        else:
            os.close(fd)
            self.fd = own

    def save(self, file: File, *, sync: bool) -> None:
        """Put the content where the next open finds it, and with `sync` on the disk.

        Blocks; OSError.
        """
        with self._lock:
            if self._removed or (self._had_name and not os.fstat(file.fd).st_nlink):
                return
            if self.place is None:
                self._put_back(file)
            if sync:
                if self.place is not None:
                    os.fsync(self.fd)
                storage.sync(file)

    def _put_back(self, file: File) -> None:
        size = os.fstat(self.fd).st_size
        if size <= _LARGEST_ATTRIBUTE:
            value = _read(self.fd)
            digest = _digest(value)
            if digest == self._kept:
                return  # also of what another server has put there, beyond our own limit
            if size <= _most_in_attribute(file):
                with contextlib.suppress(NtError):  # other attributes have the room
                    attribute.keep(file, self.attribute, value)
                    self._kept = digest
                    return
        self._place(file, self.fd)

    def _place(self, file: File, fd: int) -> None:
        """From the attribute to the store: complete and on the disk, then in one call referred to.

        A kill before that call leaves a file that nothing refers to, for the sweep.
        """
        store.save_record(fd, store.owner_of(file))
        os.fsync(fd)
        place = self.named or store.give_name(file, fd)
        try:
            attribute.refer(file, self.attribute, place)
        except NtError as error:  # not even for that is there room
            if self.named is None:
                store.forget(file, place)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
        self.place, self.named, self._kept = place, None, None

    def remove(self, file: File) -> None:
        """Remove the stream: opens that are left go on with what nobody else finds.

        Content in the store stays for the sweep: a copy of the file may refer to it.  Blocks;
        OSError.
        """
        with self._lock:
            if not self._removed:
                attribute.remove(file, self.attribute)
                self._removed = True
        with _lock:
            if _contents.get(self.key) is self:
                del _contents[self.key]

    def rename(self, file: File, stream: str) -> None:
        """Give the stream another name, which no stream has.  Blocks; NtError(DISK_FULL), OSError.

        A kill leaves the content under one of the names, or under both.
        """
        new = attribute.attribute_of(stream)
        with self._lock:
            if self.place is None:
                try:
                    attribute.keep(file, new, value := _read(self.fd))
                except NtError:  # the attributes have no room for both
                    self._place(file, self.fd)
                else:
                    self._kept = _digest(value)
            if self.place is not None:
                attribute.refer(file, new, self.place)
            if new != self.attribute:
                attribute.remove(file, self.attribute)
            self.attribute, self.name = new, stream
            with _lock:
                _contents.pop(self.key, None)
                self.key = _key(file, stream)
                _contents[self.key] = self

    def status(self) -> os.stat_result:
        """Of the content; OSError."""
        with self._lock:
            return os.fstat(self.fd)

    def state(self) -> tuple[int, ...]:
        """What is another when the content is: times and size."""
        status = os.fstat(self.fd)
        return status.st_mtime_ns, status.st_ctime_ns, status.st_size

    def copy_to_data(self, file: File) -> tuple[int, ...]:
        """Copy to the data of a file, which is empty but for what was copied so; its `state`.

        Raises NtError(INVALID_PARAMETER), OSError.
        """
        data = os.open(proc_name(file.fd), os.O_WRONLY | os.O_CLOEXEC)
        with closed_after(data), self._lock:
            if os.fstat(data).st_size and not self._is_copied:
                raise NtError(NtStatus.INVALID_PARAMETER)
            self._is_copied = True
            state = self.state()
            try:
                os.ftruncate(data, 0)
                _copy(self.fd, data)
            except BaseException:
                os.ftruncate(data, 0)
                self._is_copied = False
                raise
            return state

    def release(self, file: File) -> None:
        """One user less; the last one closes.  OSError of close(2)."""
        with _lock:
            self.users -= 1
            if self.users:
                return
            if _contents.get(self.key) is self:
                del _contents[self.key]
        fd, self.fd = self.fd, -1
        if self.named is not None:
            store.forget(file, self.named)
        if fd >= 0:
            os.close(fd)


def acquire(file: File, stream: str, *, write: bool) -> Content:
    """The content of a file's stream, one user more: `release` it.  Errors as Content.opened."""
    key = _key(file, stream)
    with _lock:
        content = _contents.get(key)
        if content is None:
            content = _contents[key] = Content(key)
        content.users += 1
    try:
        content.opened(file, stream, write=write)
    except BaseException:
        content.release(file)
        raise
    return content


def size_if_open(file: File, stream: str) -> os.stat_result | None:
    """The status of a stream's content, if it is open."""
    with _lock:
        content = _contents.get(_key(file, stream))
        if content is None or content.fd < 0:
            return None
        content.users += 1
    try:
        return content.status()
    finally:
        content.release(file)


def places_in_use() -> set[str]:
    """The numbers of files in stores that open streams have, referred to or not yet."""
    with _lock:
        contents = list(_contents.values())
    return {
        place.number
        for content in contents
        for place in (content.place, content.named)
        if place is not None
    }


def _key(file: File, stream: str) -> tuple[int, int, str]:
    return file.device, file.inode, fold(stream)


def _most_in_attribute(file: File) -> int:
    if kernel.file_system_type(file.fd) in _WITH_ONE_BLOCK:
        return _MOST_IN_BLOCK
    return _MOST_IN_ATTRIBUTE


def _digest(value: bytes) -> bytes:
    return blake2b(value, digest_size=16).digest()


def _read(fd: int) -> bytes:
    return os.pread(fd, os.fstat(fd).st_size, 0)


def _write(fd: int, value: bytes) -> None:
    done = 0
    while done < len(value):
        done += os.pwrite(fd, value[done:], done)


def _copy(source: int, target: int) -> None:
    """All of one file into an empty one; blocks are shared where the file system can."""
    done, size = 0, os.fstat(source).st_size
    while count := copy_between(source, target, done, done, min(size - done, _COPIED_AT_ONCE)):
        done += count


def proc_name(fd: int) -> str:
    """By which an open file can be opened once more."""
    return f"{PROC_FDS}/{fd}"
