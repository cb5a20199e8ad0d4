"""What the checks share: the mount, a folder for each run, and ways to say what must be.

The waits are for the client's caches: it believes attributes for a second, and closes a file
about a second after its last user.
"""

import ctypes
import errno
import hashlib
import os
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

MOUNT = Path("/mnt/share")
SECOND_MOUNT = Path("/mnt/second")
ATTRIBUTES_EXPIRE = 1.2
FILES_CLOSE = 2.5
MIB = 1 << 20
UNSUPPORTED = {errno.EOPNOTSUPP, errno.EPERM, errno.ENOSYS, errno.ENOTSUP}

CHECKS: dict[str, Callable[[], None]] = {}

_libc = ctypes.CDLL(None, use_errno=True)


class SkipError(Exception):
    """The check asks for what is not there."""


def check(function: Callable[[], None]) -> Callable[[], None]:
    """Enter a function into CHECKS, without the underscore that keeps its name off a module's."""
    CHECKS[function.__name__.removesuffix("_")] = function
    return function


def report(name: str, function: Callable[[], None]) -> None:
    """Run a check and print its line."""
    began = monotonic()
    try:
        function()
    except SkipError as skipped:
        print(f"skip {name} {skipped}", flush=True)
    except Exception as error:  # noqa: BLE001 -- whatever it is, the next check runs
        at = traceback.extract_tb(error.__traceback__)[1].lineno
        why = " ".join(str(error).split())
        print(f"FAIL {name} line {at}: {type(error).__name__}: {why}", flush=True)
    else:
        print(f"ok {name} {1000 * (monotonic() - began):.0f}ms", flush=True)


def system_call(name: str, *arguments: object) -> None:
    """Make a call of the C library's that os has not; OSError if it says so."""
    if getattr(_libc, name)(*arguments):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def mount(target: Path, more: str = "") -> None:
    """Mount the share as the environment's SMB_* say, with the kernel's own parser of options."""
    options = f"ip={os.environ['SMB_HOST']},username={os.environ['SMB_USER']}"
    options += f",password={os.environ['SMB_PASSWORD']},vers={os.environ['SMB_VERS']}"
    options += "".join(f",{o}" for o in (os.environ["SMB_OPTIONS"], more) if o)
    source = f"//{os.environ['SMB_HOST']}/{os.environ['SMB_SHARE']}"
    target.mkdir(parents=True, exist_ok=True)
    flags = ctypes.c_ulong(0)
    system_call("mount", source.encode(), bytes(target), b"cifs", flags, options.encode())


def fresh() -> None:
    """Drop the client's page cache: what is read next comes from the server."""
    os.sync()
    Path("/proc/sys/vm/drop_caches").write_text("3")


@contextmanager
def optional() -> Iterator[None]:
    """Skip the check if what is done here is unsupported."""
    try:
        yield
    except OSError as error:
        if error.errno in UNSUPPORTED:
            raise SkipError(str(error)) from None
        raise


@contextmanager
def refused(*codes: int) -> Iterator[None]:
    """Demand that what is done here fails with one of these errors."""
    try:
        yield
    except OSError as error:
        if error.errno not in codes:
            raise
    else:
        raise AssertionError("should have been refused")


def same(got: object, want: object) -> None:
    """Demand that two values are equal; say the beginning of each if not."""
    assert got == want, f"want {want!r:.80}, got {got!r:.80}"


def listed(folder: Path) -> list[str]:
    """Return the names in a folder."""
    return sorted(entry.name for entry in os.scandir(folder))


def digest(path: Path) -> str:
    """Return the MD5 sum of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


def here(name: str) -> Path:
    """Return the path of a file in this run's own folder."""
    return Path.cwd() / name


def at_once(*jobs: Callable[[], object]) -> None:
    """Run each job in a process of its own, and demand that all end well."""
    children = []
    for job in jobs:
        child = os.fork()
        if child == 0:
            try:
                job()
            except BaseException as error:  # noqa: BLE001 -- a fork must not go on as its parent
                print(f"# {type(error).__name__}: {error}", flush=True)
                os._exit(1)
            os._exit(0)
        children.append(child)
    ends = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    same(ends, [0] * len(jobs))
