"""Persistent handles on the disk: one small file each, written before the client hears of it.

A file holds one JSON object behind its SHA-256, and gets its name when it is complete: what a
kill or a full disk leaves half-written is seen, and costs that handle alone.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self

_SUFFIX = ".handle"
_MAGIC = b"smbd persistent handle 1\n"
_DIGEST = 32
# 16,384 locks, as many as a file may have, take 0.8 MiB at most.
_LONGEST = 1 << 20


class DamagedError(Exception):
    """A file holds no record that could be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """All of an Open that a restart of the server must not lose ([MS-SMB2] 3.3.1.10)."""

    persistent_id: int
    share: str
    path: str
    device: int
    inode: int
    read: bool  # what its descriptor was opened for
    write: bool
    granted_access: int
    share_access: int
    create_options: int
    delete_on_close: bool
    delete_pending: bool
    user: str  # DurableOwner
    timeout: float
    create_guid: str  # hexadecimal, as the keys and ids below
    client_guid: str
    action: int  # CreateAction
    caching: int  # state of the lease, or of the oplock; 0: neither
    lease_key: str = ""
    lease_version: int = 0
    parent_key: str = ""
    epoch: int = 0
    locks: Sequence[tuple[int, int, bool]] = ()  # offset, length, exclusive
    lock_sequences: Sequence[tuple[int, int]] = ()

    def to_bytes(self) -> bytes:
        """The contents of its file."""
        data = json.dumps(asdict(self)).encode()
        return _MAGIC + hashlib.sha256(data).digest() + data

    @classmethod
    def from_bytes(cls, contents: bytes) -> Self:
        """The record of a file; DamagedError."""
        start = len(_MAGIC) + _DIGEST
        digest, data = contents[len(_MAGIC) : start], contents[start:]
        if not contents.startswith(_MAGIC) or hashlib.sha256(data).digest() != digest:
            raise DamagedError("its checksum is wrong")
        try:
            return cls(**json.loads(data))
        except (TypeError, ValueError) as error:
            raise DamagedError("it is of another version") from error


@dataclass(slots=True)
class Records:
    """The folder of the records.  Its calls block; OSError."""

    directory: Path
    # The server ends: what it closes from now on is to be there after the next start.
    kept: bool = False
    _lock: int = field(default=-1, init=False)

    def open(self) -> None:
        """Make the folder, for this server alone; BlockingIOError if another one has it."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(self.directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BaseException:
            os.close(lock)
            raise
        self._lock = lock

    def close(self) -> None:
        """Leave the folder to the next server."""
        lock, self._lock = self._lock, -1
        if lock >= 0:
            os.close(lock)

    def save(self, record: Record) -> None:
        """Have a record on the disk, in place of the one before of the same handle."""
        path = self._path(record.persistent_id)
        new = path.with_suffix(".new")
        fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            left = memoryview(record.to_bytes())
            while left:
                left = left[os.write(fd, left) :]
            os.fsync(fd)
        finally:
            os.close(fd)
        new.rename(path)
        self._sync_names()

    def forget(self, persistent_id: int) -> None:
        """Remove the record of a handle that is closed."""
        if not self.kept:
            self._path(persistent_id).unlink(missing_ok=True)

    def load(self) -> Iterator[tuple[Path, Record | DamagedError]]:
        """All records, in the order of their names; leftovers of an interrupted `save` go."""
        for path in sorted(self.directory.iterdir()):
            if path.suffix == ".new":
                path.unlink(missing_ok=True)
            elif path.suffix == _SUFFIX:
                yield path, _read(path)

    def _path(self, persistent_id: int) -> Path:
        return self.directory / f"{persistent_id:016x}{_SUFFIX}"

    def _sync_names(self) -> None:
        fd = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def _read(path: Path) -> Record | DamagedError:
    try:
        with path.open("rb") as file:
            contents = file.read(_LONGEST + 1)
        if len(contents) > _LONGEST:
            raise DamagedError("it is too long")
        record = Record.from_bytes(contents)
    except OSError as error:
        return DamagedError(error.strerror)
    except DamagedError as error:
        return error
    return record
