"""Checks of what every program does: contents, names, folders, times."""

import errno
import hashlib
import mmap
import os
import shutil
import time
from pathlib import Path

from .harness import (
    ATTRIBUTES_EXPIRE,
    FILES_CLOSE,
    MIB,
    MOUNT,
    SkipError,
    check,
    digest,
    fresh,
    here,
    listed,
    refused,
    same,
)


@check
def write_read() -> None:
    here("f").write_text("hello\n")
    same(here("f").read_text(), "hello\n")
    same(here("f").stat().st_size, 6)


@check
def append() -> None:
    for letter in "abc":
        with here("ap").open("a") as file:
            file.write(letter)
    same(here("ap").read_text(), "abc")


@check
def overwrite() -> None:
    here("ov").write_text("0123456789")
    with here("ov").open("r+") as file:
        file.seek(4)
        file.write("XY")
    same(here("ov").read_text(), "0123XY6789")


@check
def shrink() -> None:
    here("tr").write_text("0123456789")
    os.truncate("tr", 4)
    same(here("tr").read_text(), "0123")
    same(here("tr").stat().st_size, 4)


@check
def extend() -> None:
    here("ex").write_bytes(b"abc")
    os.truncate("ex", 100_000)
    same(here("ex").stat().st_size, 100_000)
    fresh()
    same(here("ex").read_bytes(), b"abc" + bytes(99_997))


@check
def exclusive() -> None:
    here("xc").touch()
    with refused(errno.EEXIST):
        here("xc").touch(exist_ok=False)


@check
def rename_file() -> None:
    here("r1").write_text("1")
    here("r1").rename("r2")
    assert not here("r1").exists()
    same(here("r2").read_text(), "1")


@check
def rename_over() -> None:
    here("ro1").write_text("old")
    here("ro2").write_text("new")
    here("ro2").rename("ro1")
    same(here("ro1").read_text(), "new")
    assert not here("ro2").exists()


@check
def rename_dir() -> None:
    here("rd1/sub").mkdir(parents=True)
    here("rd1/sub/f").write_text("x")
    here("rd1").rename("rd2")
    same(here("rd2/sub/f").read_text(), "x")
    assert not here("rd1").exists()


@check
def rename_case() -> None:
    # By way of another name: the client takes Case and cASE for one file and does nothing.
    here("rc").mkdir()
    here("rc/Case").touch()
    here("rc/Case").rename("rc/via")
    here("rc/via").rename("rc/cASE")
    same(listed(here("rc")), ["cASE"])


@check
def rename_open() -> None:
    here("rop").write_text("1")
    with here("rop").open() as file:
        here("rop").rename("rop2")
        same(file.read(), "1")
    same(here("rop2").read_text(), "1")


@check
def directories() -> None:
    here("d").mkdir()
    with refused(errno.EEXIST):
        here("d").mkdir()
    here("d/f").touch()
    with refused(errno.ENOTEMPTY):
        here("d").rmdir()
    here("d/f").unlink()
    here("d").rmdir()
    assert not here("d").exists()
    here("a/b/c/d/e").mkdir(parents=True)
    shutil.rmtree("a")
    assert not here("a").exists()


@check
def unlink_open() -> None:
    # SMB keeps the name (with no links) until the last handle is closed; it must not open again.
    here("uo").write_text("data")
    with here("uo").open("r+") as file:
        here("uo").unlink()
        with refused(errno.ENOENT, errno.EACCES, errno.EBUSY):
            here("uo").open().close()
        same(file.read(), "data")
        file.write("more")
    time.sleep(FILES_CLOSE)
    assert not here("uo").exists()
    here("uo").write_text("again")
    same(here("uo").read_text(), "again")


@check
def names() -> None:
    here("n" * 250).touch()
    assert here("n" * 250).exists()
    said = [
        "grüße-日本",
        "two words",
        ".hidden",
        "UPPER",
        "quote'\"",
        "co:lon*?<>|",
        "trail.",
        "trail ",
    ]
    for name in said:
        here(name).write_text(name)
        same(here(name).read_text(), name)
        assert name in listed(Path.cwd()), f"{name!r} is not listed"
        here(name).unlink()


@check
def timestamps() -> None:
    then = 981_173_106_789_123_400  # 2001-02-03, with the 100 ns that SMB has
    here("t").touch()
    os.utime("t", ns=(then, then))
    fresh()
    same(here("t").stat().st_mtime_ns, then)
    time.sleep(FILES_CLOSE)  # a handle that set the time keeps it
    with here("t").open("a") as file:
        file.write("x")
    time.sleep(ATTRIBUTES_EXPIRE)
    age = time.time() - here("t").stat().st_mtime
    assert -5 <= age <= 5, f"a file written to now was modified {age:.0f} s ago"


@check
def readonly_bit() -> None:
    here("ro").write_text("x")
    here("ro").chmod(0o444)
    with refused(errno.EACCES, errno.EPERM):
        here("ro").write_text("y")
    time.sleep(FILES_CLOSE)  # the client compares with the attributes that it has cached
    here("ro").chmod(0o644)
    here("ro").write_text("y")
    same(here("ro").read_text(), "y")


@check
def large_write() -> None:
    content = os.urandom(64 * MIB)
    here("big").write_bytes(content)
    want = hashlib.md5(content).hexdigest()
    fresh()
    same(digest(here("big")), want)
    if "SMB_FOLDER" in os.environ:
        same(digest(Path(os.environ["SMB_FOLDER"]) / here("big").relative_to(MOUNT)), want)
    here("big").unlink()


@check
def large_read() -> None:
    """Read a file that the server's machine made."""
    if not (MOUNT / "host64.bin").exists():
        raise SkipError("no host64.bin on the share")
    same(digest(MOUNT / "host64.bin"), (MOUNT / "host64.md5").read_text().split()[0])


@check
def direct_io() -> None:
    with mmap.mmap(-1, MIB) as page:  # O_DIRECT wants aligned memory
        page.write(bytes(range(256)) * (MIB // 256))
        file = os.open("dio", os.O_RDWR | os.O_CREAT | os.O_DIRECT)
        try:
            same(os.writev(file, [page]), MIB)
            want = page[:]
            page[:] = bytes(MIB)
            same(os.preadv(file, [page], 0), MIB)
            assert page[:] == want, "what came back is not what was written"
        finally:
            os.close(file)


@check
def small_files() -> None:
    here("many").mkdir()
    for number in range(500):
        here(f"many/file-{number}").write_text(str(number))
    fresh()
    same(len(listed(here("many"))), 500)
    for number in range(500):
        same(here(f"many/file-{number}").read_text(), str(number))
    shutil.rmtree("many")
    assert not here("many").exists()


@check
def big_directory() -> None:
    """List a folder that the server's machine made."""
    if not (MOUNT / "bigdir").exists():
        raise SkipError("no bigdir on the share")
    found = listed(MOUNT / "bigdir")
    same(len(found), 2000)
    same(set(found), {f"entry-{number}" for number in range(1, 2001)})


@check
def disk_free() -> None:
    found = os.statvfs("/mnt/share")
    assert found.f_blocks > 0
    assert found.f_bavail > 0
