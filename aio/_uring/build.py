"""Builds `ring.c` at its first use, where there is a C compiler, and keeps it for the next time.

Not when smbd is installed: an installation never needs a compiler, a wheel serves every Python,
and the attempt itself says why io_uring is missing.
"""

import contextlib
import errno
import hashlib
import io
import os
import shlex
import shutil
import subprocess
import sysconfig
import tempfile
from functools import cache
from importlib.machinery import ExtensionFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

import cffi

_NAME = "aio._uring.ring"
_SOURCE = Path(__file__).with_name("ring.c")
_DECLARATIONS = """
    struct ring { unsigned depth; ...; };
    int ring_open(struct ring *ring, unsigned depth, int eventfd);
    void ring_close(struct ring *ring);
    int ring_register(struct ring *ring, uintptr_t address, size_t length);
    uintptr_t ring_entries(struct ring *ring);
    unsigned ring_at(struct ring *ring);
    int ring_submit(struct ring *ring, unsigned count);
    int ring_reap(
        struct ring *ring, uint64_t *tags, int32_t *results, unsigned room, int woken
    );
"""
_PATIENCE = 60  # seconds; it takes 0.3


@cache
def load() -> ModuleType:
    """The extension: cffi's `lib` and `ffi`.  OSError says why it cannot be built or loaded."""
    path = _folder() / f"ring-{_fingerprint()}{sysconfig.get_config_var('EXT_SUFFIX')}"
    if not path.exists():
        _build(path)
    loader = ExtensionFileLoader(_NAME, str(path))
    spec = spec_from_loader(_NAME, loader)
    assert spec is not None
    try:
        module = module_from_spec(spec)
        loader.exec_module(module)
    except ImportError as error:
        raise OSError(errno.ENOEXEC, f"{path} cannot be loaded: {error}") from error
    return module


def _folder() -> Path:
    """Where the extension is kept.  No other user may write there: its files are run."""
    home = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    folder = Path(home) / "aio"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.stat()
    except OSError as error:
        reason = f"no folder to keep the extension in: {folder}: {error.strerror}"
        raise OSError(error.errno, reason) from error
    if status.st_uid != os.geteuid() or status.st_mode & 0o022:
        raise OSError(errno.EPERM, f"others may write to {folder}, from where it would be loaded")
    return folder


def _fingerprint() -> str:
    """A hash of all that makes the extension another one, but for Python's own suffix."""
    parts = (_SOURCE.read_text(), _DECLARATIONS, cffi.__version__)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _build(path: Path) -> None:
    compiler = _compiler()
    include = Path(sysconfig.get_path("include"))
    if not (include / "Python.h").exists():
        raise OSError(errno.ENOENT, f"no {include}/Python.h (python3-dev) to build it with")
    ffi = cffi.FFI()
    ffi.cdef(_DECLARATIONS)
    ffi.set_source(_NAME, _SOURCE.read_text())
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        source, built = Path(folder) / "ring.c", Path(folder) / "ring.so"
        with contextlib.redirect_stdout(io.StringIO()):  # cffi prints each step there
            ffi.emit_c_code(str(source))
        command = [*compiler, "-O2", "-fPIC", "-shared", f"-I{include}", str(source)]
        _run([*command, "-o", str(built)])
        built.replace(path)  # whole or not at all, for others that build at the same time


def _compiler() -> list[str]:
    """The compiler that Python was built with, if it is here; else any that is here."""
    named = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "")
    for command in (named, ["cc"], ["gcc"], ["clang"]):
        if command and shutil.which(command[0]):
            return command
    raise OSError(errno.ENOENT, "no C compiler (cc, gcc or clang) to build it with")


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(  # noqa: S603 -- the compiler that Python's own build names
            command, capture_output=True, text=True, timeout=_PATIENCE, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise OSError(errno.ETIMEDOUT, f"{command[0]} took longer than {_PATIENCE} s") from error
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if "error" in line.lower()]
        why = lines[0] if lines else f"exit status {done.returncode}"
        raise OSError(errno.ENOEXEC, f"{command[0]} cannot build it: {why}")
