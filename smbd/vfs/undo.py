"""Changes of a file's attributes, times and EAs that are made together, or not at all.

Each is a call of its own to the kernel, and a later one may fail: for space, for rights, for a
feature that the file system lacks.  The earlier ones are undone then.
"""

import contextlib
import errno
import os
import stat
from collections.abc import Iterator, Sequence

from aio import kernel
from smbd.vfs import change_time, dosattrib
from smbd.vfs.eas import attributes_of
from smbd.vfs.file import File
from smbd.wire.fscc import ExtendedAttribute


@contextlib.contextmanager
def all_or_nothing(file: File, eas: Sequence[ExtendedAttribute] = ()) -> Iterator[None]:
    """A block that changes them, and `eas` among the EAs; if it raises, nothing has changed.

    Not contents and sizes: those are changed last.  OSError, and NtError as `set_eas` for names
    that cannot be.
    """
    file = file.described
    names = [dosattrib.NAME, change_time.NAME, *attributes_of(file, eas)]
    status = os.fstat(file.fd)
    values = {name: _value(file, name) for name in names}
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):  # the client must hear of the first error
            _put_back(file, status, values)
        raise


def _put_back(file: File, status: os.stat_result, values: dict[str, bytes | None]) -> None:
    there = {name: _value(file, name) for name in values}
    changed = {name: old for name, old in values.items() if there[name] != old}
    now = os.fstat(file.fd)

    def grows(name: str) -> int:
        return len(changed[name] or b"") - len(there[name] or b"")

    # A value that is removed or gets shorter makes room for another: on ext4 one block holds them
    # all.
    for name in sorted(changed, key=lambda name: (changed[name] is not None, grows(name))):
        old = changed[name]
        if old is None:
            os.removexattr(file.target, name)
        else:
            os.setxattr(file.target, name, old)
    if now.st_mode != status.st_mode:
        os.chmod(file.target, stat.S_IMODE(status.st_mode))  # noqa: PTH101 (a descriptor)
    if (now.st_atime_ns, now.st_mtime_ns) != (status.st_atime_ns, status.st_mtime_ns):
        target = file.target if isinstance(file.target, int) else os.fsencode(file.target)
        kernel.set_times(target, status.st_atime_ns, status.st_mtime_ns)


def _value(file: File, name: str) -> bytes | None:
    try:
        return os.getxattr(file.target, name)
    except OSError as error:
        # A file system without any, or one that is not ours to read: then it was not set either.
        if error.errno not in {errno.ENODATA, errno.EOPNOTSUPP, errno.EACCES, errno.EPERM}:
            raise
        return None
