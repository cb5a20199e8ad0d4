"""The system calls that `os` lacks, each against what `os` can say of the same thing."""

import errno
import os
import platform
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from aio import kernel
from aio.kernel.libc import system_call
from tests.aio.page_cache import make_cold, make_warm


@contextmanager
def folder_fd(path: Path) -> Iterator[int]:
    fd = os.open(path, os.O_PATH | os.O_DIRECTORY)
    try:
        yield fd
    finally:
        os.close(fd)


@contextmanager
def may_be_missing(*numbers: int) -> Iterator[None]:
    """A kernel or a file system without the feature is a skip with its reason."""
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSYS, *numbers}:
            pytest.skip(str(error))
        raise


def test_openat2_opens_beneath_a_folder_and_nowhere_else(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "name ü").write_bytes(b"found")
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "inner" / "out").symlink_to("../secret")
    with folder_fd(tmp_path / "inner") as root, may_be_missing():
        for name in ("name ü", "name ü".encode()):
            fd = kernel.openat2(name, os.O_RDONLY, dir_fd=root, resolve=kernel.RESOLVE_BENEATH)
            assert not os.get_inheritable(fd)
            with os.fdopen(fd, "rb") as file:
                assert file.read() == b"found"
        for name in ("../secret", "out", "/etc/passwd"):
            with pytest.raises(OSError, match="cross-device") as caught:
                kernel.openat2(name, os.O_RDONLY, dir_fd=root, resolve=kernel.RESOLVE_BENEATH)
            assert caught.value.errno == errno.EXDEV
            assert caught.value.filename == name
        with pytest.raises(FileNotFoundError):
            kernel.openat2("nothing", os.O_RDONLY, dir_fd=root)
        with pytest.raises(OSError, match="null byte"):
            kernel.openat2("name\0x", os.O_RDONLY, dir_fd=root)


def test_openat2_creates_with_a_mode(tmp_path: Path) -> None:
    with folder_fd(tmp_path) as root, may_be_missing():
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        os.close(kernel.openat2("new", flags, mode=0o600, dir_fd=root))
        assert (tmp_path / "new").stat().st_mode & 0o777 == 0o600
        with pytest.raises(FileExistsError):
            kernel.openat2("new", flags, mode=0o600, dir_fd=root)


def test_openat2_can_be_kept_from_the_disk(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with folder_fd(tmp_path) as root, may_be_missing(errno.EINVAL):
        resolve = kernel.RESOLVE_BENEATH | kernel.RESOLVE_CACHED
        os.close(kernel.openat2("file", os.O_RDONLY, dir_fd=root, resolve=resolve))


def test_renameat2_replaces_nothing_and_exchanges(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    (tmp_path / "b").write_text("b")
    with folder_fd(tmp_path) as root, may_be_missing(errno.EINVAL):
        with pytest.raises(FileExistsError):
            kernel.renameat2("a", "b", kernel.RENAME_NOREPLACE, old_dir_fd=root, new_dir_fd=root)
        kernel.renameat2("a", "b", kernel.RENAME_EXCHANGE, old_dir_fd=root, new_dir_fd=root)
        assert (tmp_path / "a").read_text() == "b"
        kernel.renameat2("a", "c", kernel.RENAME_NOREPLACE, old_dir_fd=root, new_dir_fd=root)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["b", "c"]


def test_statx_says_what_stat_says_and_when_a_file_was_born(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(5000))
    os.utime(path, ns=(1_000_000_000_123_456_700, -1_500_000_000))
    os.link(path, tmp_path / "other")
    said = path.stat()
    with may_be_missing(), path.open("rb") as file:
        for found in (
            kernel.statx(str(path)),
            kernel.statx("", dir_fd=file.fileno(), flags=kernel.AT_EMPTY_PATH),
        ):
            assert (found.size, found.blocks, found.mode) == (5000, said.st_blocks, said.st_mode)
            assert (found.ino, found.dev, found.nlink) == (said.st_ino, said.st_dev, 2)
            assert (found.uid, found.gid) == (said.st_uid, said.st_gid)
            assert found.atime_ns == said.st_atime_ns == 1_000_000_000_123_456_700
            assert found.mtime_ns == said.st_mtime_ns == -1_500_000_000
            assert found.ctime_ns == said.st_ctime_ns
            if found.btime_ns is not None:
                assert abs(found.btime_ns - said.st_ctime_ns) < 60_000_000_000
        with pytest.raises(FileNotFoundError):
            kernel.statx(str(tmp_path / "nothing"))


def test_statx_follows_a_link_or_not(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("nowhere")
    with may_be_missing(), folder_fd(tmp_path) as root:
        found = kernel.statx("link", dir_fd=root, flags=kernel.AT_SYMLINK_NOFOLLOW)
        assert found.size == len("nowhere")
        with pytest.raises(FileNotFoundError):
            kernel.statx("link", dir_fd=root)


def test_statx_says_how_direct_io_is_aligned(disk: Path) -> None:
    (disk / "file").write_bytes(bytes(4096))
    with may_be_missing():
        found = kernel.statx(str(disk / "file"), mask=kernel.STATX_DIOALIGN)
    if not found.mask & kernel.STATX_DIOALIGN:
        pytest.skip("this kernel or file system does not say")
    assert found.dio_offset_align in {0, *(1 << power for power in range(9, 17))}


def test_fallocate_allocates_behind_the_end_and_punches_holes(disk: Path) -> None:
    with (disk / "file").open("wb+") as file, may_be_missing(errno.EOPNOTSUPP):
        file.write(b"x" * 65536)
        file.flush()
        fd = file.fileno()
        kernel.fallocate(fd, kernel.FALLOC_FL_KEEP_SIZE, 65536, 65536)
        assert os.fstat(fd).st_size == 65536
        assert os.fstat(fd).st_blocks * 512 >= 2 * 65536
        punch = kernel.FALLOC_FL_PUNCH_HOLE | kernel.FALLOC_FL_KEEP_SIZE
        kernel.fallocate(fd, punch, 4096, 8192)
        assert os.pread(fd, 16384, 0) == b"x" * 4096 + bytes(8192) + b"x" * 4096
        with pytest.raises(OSError, match="Invalid argument"):
            kernel.fallocate(fd, 0, 0, -1)


def test_mincore_sees_what_is_cached(disk: Path) -> None:
    with (disk / "file").open("wb+") as file:
        file.write(bytes(4 * 4096))
        file.flush()
        fd = file.fileno()
        make_cold(fd)
        assert len(os.pread(fd, 4096, 4096)) == 4096
        address = kernel.map_pages(fd, 0, 8 * 4096)
        vector = kernel.PageVector(8)
        kernel.mincore(address, 8 * 4096, vector)
        assert list(vector.pages) == [0, 1, 0, 0, 0, 0, 0, 0]
        assert not vector.all_resident(0, 2)
        kernel.unmap_pages(address, 8 * 4096)
        with pytest.raises(OSError, match="allocate"):
            kernel.mincore(address, 8 * 4096, vector)


def test_what_is_not_open_for_reading_cannot_be_mapped(tmp_path: Path) -> None:
    with (tmp_path / "file").open("wb") as file, pytest.raises(PermissionError):
        kernel.map_pages(file.fileno(), 0, 4096)


def test_cachestat_counts_pages(disk: Path) -> None:
    with (disk / "file").open("wb+") as file, may_be_missing(errno.EPERM):
        file.write(bytes(4 * 4096))
        file.flush()
        fd = file.fileno()
        make_cold(fd)
        assert kernel.cachestat(fd, 0, 4 * 4096).cached == 0
        make_warm(fd)
        assert kernel.cachestat(fd, 4096, 2 * 4096).cached == 2
        os.pwrite(fd, b"x", 0)
        assert kernel.cachestat(fd, 0, 4096).dirty == 1


def test_a_file_system_has_a_type(tmpfs: Path) -> None:
    with (tmpfs / "file").open("wb") as file:
        assert kernel.file_system_type(file.fileno()) == 0x01021994
        with folder_fd(Path("/proc")) as proc:
            assert kernel.file_system_type(proc) == 0x9FA0


def test_a_machine_whose_numbers_are_not_known_has_no_such_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "pdp11")
    with pytest.raises(OSError, match="not implemented") as caught:
        system_call("statx", "int")(1)
    assert caught.value.errno == errno.ENOSYS


def test_eintr_is_retried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failures = [InterruptedError(errno.EINTR, "a signal")]
    whole = kernel.names.check  # type: ignore[attr-defined]

    def interrupted_once(*args: Any) -> int:
        result: int = whole(*args)
        if failures:
            if result:  # openat2 did open it
                os.close(result)
            raise failures.pop()
        return result

    (tmp_path / "file").write_bytes(bytes(10))
    with may_be_missing(errno.EOPNOTSUPP):
        monkeypatch.setattr("aio.kernel.names.check", interrupted_once)
        fd = kernel.openat2(str(tmp_path / "file"), os.O_RDWR)
        failures.append(InterruptedError(errno.EINTR, "a signal"))
        monkeypatch.setattr("aio.kernel.space.check", interrupted_once)
        kernel.fallocate(fd, 0, 0, 20)
        os.close(fd)
    assert failures == []
    assert (tmp_path / "file").stat().st_size == 20


def test_one_time_of_a_file_is_set_and_the_other_left(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    os.utime(path, ns=(1_000_000_001, 2_000_000_002))
    kernel.set_times(os.fsencode(path), None, 3_000_000_003)
    assert (path.stat().st_atime_ns, path.stat().st_mtime_ns) == (1_000_000_001, 3_000_000_003)
    with path.open("rb") as file:
        kernel.set_times(file.fileno(), -1, None)
    assert (path.stat().st_atime_ns, path.stat().st_mtime_ns) == (-1, 3_000_000_003)
    with pytest.raises(FileNotFoundError):
        kernel.set_times(os.fsencode(tmp_path / "nothing"), 0, 0)


def test_statx_may_be_called_by_many_threads(tmp_path: Path) -> None:
    def sizes(size: int) -> set[int]:
        path = tmp_path / str(size)
        path.write_bytes(bytes(size))
        return {kernel.statx(str(path)).size for _ in range(2000)}

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(sizes, range(4))) == [{0}, {1}, {2}, {3}]
