"""io_uring where there is none: what is missing is said, and the next engine is taken."""

import errno
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from aio import compiled
from aio._uring import RING
from aio.opening import unavailable
from aio.uring import _REFUSALS, UringQueue

ROOT = Path(__file__).parents[2]


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nothing was built yet."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(RING, "_loaded", None)  # and as it was, after the test
    return tmp_path / "aio"


def why() -> str:
    reason = unavailable("uring")
    assert reason is not None
    return reason.removeprefix("uring is not available: ")


def run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_without_a_compiler_the_reason_is_that(
    empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    assert why() == "no C compiler (cc, gcc or clang) to build it with"


def test_without_pythons_headers_the_reason_is_that(
    empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: "/usr/bin/cc")
    monkeypatch.setattr(sysconfig, "get_path", lambda _: "/nowhere")
    assert why() == "no /nowhere/Python.h (python3-dev) to build it with"


def test_what_a_compiler_cannot_build_is_told_in_its_words(
    empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiler = empty_cache.parent / "cc"
    compiler.write_text("#!/bin/sh\necho 'ring.c:10: fatal error: linux/io_uring.h' >&2; exit 1\n")
    compiler.chmod(0o755)
    monkeypatch.setenv("CC", str(compiler))
    monkeypatch.setattr(sysconfig, "get_path", lambda _: str(empty_cache.parent))
    (empty_cache.parent / "Python.h").touch()
    assert why().endswith("cc cannot build it: ring.c:10: fatal error: linux/io_uring.h")
    compiler.write_text("#!/bin/sh\nexit 3\n")
    assert why().endswith("cc cannot build it: exit status 3")
    monkeypatch.setattr(compiled, "_PATIENCE", 0.01)
    compiler.write_text("#!/bin/sh\nexec sleep 60\n")
    assert why().endswith("cc took longer than 0.01 s")
    assert list(empty_cache.iterdir()) == []


def test_what_was_built_is_used_again(
    empty_cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level("INFO")
    try:
        RING.load()
    except OSError as error:
        pytest.skip(f"not to be built here: {error.strerror}")
    assert caplog.messages == ["building aio._uring.ring, once for this version of it"]
    assert capsys.readouterr().out == ""
    [built] = empty_cache.iterdir()
    assert empty_cache.stat().st_mode & 0o777 == 0o700
    RING.forget()
    monkeypatch.setattr(shutil, "which", lambda _: None)
    RING.load()
    assert len(caplog.messages) == 1
    monkeypatch.setattr(RING, "declarations", RING.declarations + "\n")
    RING.forget()
    assert "no C compiler" in why()
    built.unlink()


def test_what_cannot_be_loaded_says_so(empty_cache: Path) -> None:
    empty_cache.mkdir(mode=0o700)
    RING.path.write_bytes(b"no library")
    assert "cannot be loaded" in why()


def test_nothing_is_loaded_from_where_others_may_write(empty_cache: Path) -> None:
    empty_cache.mkdir()
    empty_cache.chmod(0o777)
    assert why() == f"others may write to {empty_cache}, from where it would be loaded"


def test_without_a_folder_to_keep_it_in_the_reason_is_that(empty_cache: Path) -> None:
    empty_cache.touch()
    assert why() == f"no folder to keep the extension in: {empty_cache}: File exists"


# What Docker's default profile does: io_uring_setup fails with EPERM.
_SECCOMP = """
import ctypes, struct
libc = ctypes.CDLL(None, use_errno=True)
filters = [
    (0x20, 0, 0, 0),             # load the system call's number
    (0x15, 0, 1, 425),           # io_uring_setup?
    (0x06, 0, 0, 0x00050000 | 1),  # EPERM
    (0x06, 0, 0, 0x7FFF0000),    # all others are allowed
]
code = b"".join(struct.pack("HBBI", *one) for one in filters)
buffer = ctypes.create_string_buffer(code)
class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filters", ctypes.c_void_p)]
program = Program(len(filters), ctypes.addressof(buffer))
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, ctypes.byref(program), 0, 0) == 0
"""


def test_seccomp_is_the_reason_and_the_share_falls_back(disk: Path) -> None:
    if unavailable("uring"):
        pytest.skip("there is no io_uring to be refused")
    told = run(
        _SECCOMP
        + "import aio\n"
        + "engine = aio.open_engine('nowait+uring,threads')\n"
        + "print(engine.name, *engine.notes, sep='|')\n"
        + f"print(aio.describe({str(disk)!r}, 'uring,libaio', direct=1).engine)\n"
        + "try: aio.open_engine('uring')\n"
        + "except OSError as error: print(error.errno, error.strerror, sep='|')\n"
    )
    refusal = f"uring is not available: {_REFUSALS[errno.EPERM]}"
    assert told.splitlines() == [
        f"nowait+threads|{refusal}",
        "libaio",
        f"{errno.EPERM}|{refusal}",
    ]


def test_every_refusal_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    if unavailable("uring"):
        pytest.skip("there is no io_uring to be refused")

    class Refusing:
        def __init__(self, number: int) -> None:
            self.ring_open = lambda *_: -number

    module = RING.load()
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    for number, text in {**_REFUSALS, errno.EMFILE: "Too many open files"}.items():
        answer = type("Module", (), {"lib": Refusing(number), "ffi": module.ffi})
        monkeypatch.setattr(RING, "load", lambda answer=answer: answer)
        assert why() == text
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


def test_what_the_kernel_says_of_a_ring_is_an_oserror() -> None:
    if unavailable("uring"):
        pytest.skip("there is no ring to be asked")
    queue = UringQueue(4)
    queue._lib = type(
        "Failing",
        (),
        {"ring_submit": lambda *_: -errno.EBUSY, "ring_reap": lambda *_: -errno.EBADF},
    )
    with pytest.raises(OSError, match="busy") as caught:
        queue.submit(1)
    assert caught.value.errno == errno.EBUSY
    with pytest.raises(OSError, match="Bad file descriptor"):
        queue.reap(woken=False)
    queue.close()


def test_two_that_build_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    if unavailable("uring"):
        pytest.skip("not to be built here")
    code = "from aio.opening import unavailable; print(unavailable('uring'))"
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    both = [
        subprocess.Popen(
            [sys.executable, "-c", code], cwd=ROOT, env=environment, stdout=subprocess.PIPE
        )
        for _ in range(2)
    ]
    assert [process.communicate()[0] for process in both] == [b"None\n", b"None\n"]
    assert len(list((tmp_path / "aio").iterdir())) == 1
