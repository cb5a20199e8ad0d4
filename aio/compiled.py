"""Extensions in C: built at the first use, where there is a C compiler, and kept for the next.

Not when smbd is installed: an installation never needs a compiler, a wheel serves every Python,
and the attempt itself says why something is missing.
"""

import errno
import hashlib
import logging
import os
import shlex
import shutil
import subprocess
import sysconfig
import tempfile
import threading
from collections.abc import Sequence
from importlib.machinery import ExtensionFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

import _cffi_backend

_log = logging.getLogger("aio")
_PATIENCE = 60  # seconds; it takes 0.3 to 2


def are_wanted() -> bool:
    """Whether extensions that Python can stand in for are to be used: AIO_EXTENSIONS is not off."""
    return os.environ.get("AIO_EXTENSIONS") != "off"


class Extension:
    """One C file, or several that are compiled as one, and the functions that Python calls."""

    def __init__(
        self, name: str, source: Path, declarations: str, before: Sequence[Path] = ()
    ) -> None:
        """`name` is its module's, dotted; `declarations` are cffi's, of all that is called.

        What `source` needs of the files `before` comes before it.
        """
        self.source = source
        self._before = tuple(before)
        self.declarations = declarations
        self._name = name
        self._stem = name.rpartition(".")[2]
        self._lock = threading.Lock()  # the loading of one extension, by any thread
        self._loaded: ModuleType | None = None
        self._begun = False  # by `at_hand`

    def load(self) -> ModuleType:
        """The extension: cffi's `lib` and `ffi`.  OSError says why it cannot be built or loaded.

        To build it takes up to `_PATIENCE` seconds: not in a loop that others wait for.
        """
        with self._lock:
            if self._loaded is None:
                self._loaded = self._load()
            return self._loaded

    def at_hand(self) -> ModuleType | None:
        """`load`'s result, if that is known by now; what can do without waits for nothing.

        The first call begins to load, in a thread of its own.  None also where it cannot be had, or
        is not wanted.
        """
        if self._loaded is None and not self._begun:
            self._begun = True
            if are_wanted():
                threading.Thread(target=self._try, name=self._name, daemon=True).start()
        return self._loaded

    def _try(self) -> None:
        try:
            self.load()
        except OSError as error:
            _log.info("%s does without its extension: %s", self._name, error)

    def forget(self) -> None:
        """Load it anew the next time: for tests."""
        self._loaded, self._begun = None, False

    @property
    def path(self) -> Path:
        """Where it is kept, or will be; OSError if there is no folder for it."""
        suffix = sysconfig.get_config_var("EXT_SUFFIX")
        return _folder() / f"{self._stem}-{self._fingerprint()}{suffix}"

    def _load(self) -> ModuleType:
        path = self.path
        if not path.exists():
            self._build(path)
        loader = ExtensionFileLoader(self._name, str(path))
        spec = spec_from_loader(self._name, loader)
        assert spec is not None
        try:
            module = module_from_spec(spec)
            loader.exec_module(module)
        except ImportError as error:
            raise OSError(errno.ENOEXEC, f"{path} cannot be loaded: {error}") from error
        return module

    def _fingerprint(self) -> str:
        """A hash of all that makes the extension another one, but for Python's own suffix."""
        parts = (self._text(), self.declarations, _cffi_backend.__version__)
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]

    def _text(self) -> str:
        return "\n".join(path.read_text() for path in (*self._before, self.source))

    def _build(self, path: Path) -> None:
        compiler = _compiler()
        include = Path(sysconfig.get_path("include"))
        if not (include / "Python.h").exists():
            raise OSError(errno.ENOENT, f"no {include}/Python.h (python3-dev) to build it with")
        _log.info("building %s, once for this version of it", self._name)
        import cffi  # noqa: PLC0415 -- its parser of C: 60 ms, which who finds it built need not wait for

        ffi = cffi.FFI()
        ffi.cdef(self.declarations)
        # cffi would print each step; and sys.stdout is another thread's too.
        ffi.set_source(self._name, self._text(), compiler_verbose=0)
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            source, built = Path(folder) / f"{self._stem}.c", Path(folder) / f"{self._stem}.so"
            ffi.emit_c_code(str(source))
            command = [*compiler, "-O2", "-fPIC", "-shared", f"-I{include}", str(source)]
            _run([*command, "-o", str(built)])
            built.replace(path)  # whole or not at all, for others that build at the same time


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
