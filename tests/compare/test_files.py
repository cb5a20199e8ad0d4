"""The study's files: where their pages are, in which order they are read, and that they go."""

import errno
import os
from itertools import pairwise
from mmap import PAGESIZE
from pathlib import Path

import pytest

from aio.compare import files as files_module
from aio.compare.files import Files
from aio.compare.study import CannotRun
from aio.compare.workloads import KIB, MIB, Load, Workload
from tests.aio.page_cache import resident_pages
from tests.compare.conftest import small_files

HITS = Load("read", 4 * KIB)
MISSES = Load("read", 4 * KIB, data="evicted")


def resident(path: Path) -> int:
    fd = os.open(path, os.O_RDWR)
    try:
        return resident_pages(fd, os.fstat(fd).st_size)
    finally:
        os.close(fd)


def read_all(path: Path) -> None:
    assert path.read_bytes()


def test_files_have_their_sizes_in_a_folder_of_their_own_and_go_with_it(disk: Path) -> None:
    with small_files(disk) as files:
        assert list(disk.iterdir()) == [files.folder]
        assert files.cached.stat().st_size == MIB
        assert files.evicted.stat().st_size == 4 * MIB
        assert files.dirty.stat().st_size == 0
    assert not list(disk.iterdir())


def test_nothing_is_left_where_the_files_cannot_be_made(
    disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, size: int) -> None:
        path.touch()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files_module, "_fill", full)
    with pytest.raises(OSError, match="No space left"), small_files(disk):
        pass
    assert not list(disk.iterdir())


def test_every_page_is_there_after_warming_and_none_after_evicting(files: Files) -> None:
    read_all(files.evicted)
    files.warm()
    assert resident(files.cached) == MIB // PAGESIZE
    assert files.evict()
    assert resident(files.evicted) == 0


def test_what_was_written_can_be_evicted_too(files: Files) -> None:
    with files.evicted.open("r+b") as file:
        file.write(b"x" * 512)
    assert files.evict()
    assert resident(files.evicted) == 0


def test_memory_cannot_be_evicted_and_that_is_the_reason_why_no_misses_are_to_be_had(
    tmpfs: Path,
) -> None:
    with small_files(tmpfs) as files:
        assert not files.evict()
        with pytest.raises(CannotRun, match="tmpfs is nothing but memory") as caught:
            files.prepare(Workload("w", "mix", HITS, beside=MISSES))
        assert caught.value.any_form
        files.prepare(Workload("w", "hits", HITS))


def test_a_file_system_that_keeps_its_pages_is_named(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "posix_fadvise", lambda *_: None)
    read_all(files.evicted)
    with pytest.raises(CannotRun, match="keeps its pages"):
        files.prepare(Workload("w", "misses", MISSES))


def test_before_a_run_the_data_is_where_its_loads_want_it(files: Files) -> None:
    read_all(files.evicted)
    files.dirty.write_bytes(b"x" * KIB)
    files.prepare(Workload("w", "mix", HITS, beside=MISSES))
    assert resident(files.cached) == MIB // PAGESIZE
    assert resident(files.evicted) == 0
    assert files.dirty.stat().st_size == 0


def test_a_load_that_evicts_nothing_leaves_the_other_file_alone(files: Files) -> None:
    read_all(files.evicted)
    files.prepare(Workload("w", "hits", HITS))
    assert resident(files.evicted) == 4 * MIB // PAGESIZE


def test_cached_blocks_are_all_of_the_file_each_once_in_any_order(files: Files) -> None:
    blocks = files.blocks(HITS)
    assert sorted(blocks) == list(range(0, MIB, 4 * KIB))
    assert blocks != sorted(blocks)


@pytest.mark.parametrize("size", [512, 4 * KIB, 16 * KIB, 64 * KIB, MIB])
def test_evicted_blocks_at_random_have_pages_between_them_that_nobody_reads(
    files: Files, size: int
) -> None:
    blocks = files.blocks(Load("read", size, data="evicted"))
    ordered = sorted(blocks)
    assert all(second - first - size >= PAGESIZE for first, second in pairwise(ordered))
    assert ordered[-1] + size <= 4 * MIB
    assert not any(offset % PAGESIZE for offset in blocks)
    assert len(set(blocks)) == len(blocks) >= 3


def test_writes_of_a_part_touch_neither_end_of_their_page(files: Files) -> None:
    blocks = files.blocks(Load("write", 512, data="evicted"))
    assert len(blocks) == 4 * MIB // (16 * KIB)
    assert all(0 < offset % PAGESIZE < PAGESIZE - 512 for offset in blocks)


@pytest.mark.parametrize(("data", "size"), [("cached", MIB), ("evicted", 4 * MIB)])
def test_a_stream_goes_through_the_file_from_its_beginning(
    files: Files, data: str, size: int
) -> None:
    load = Load("read", 64 * KIB, data=data, order="sequential")  # type: ignore[arg-type]
    assert files.blocks(load) == list(range(0, size, 64 * KIB))


def test_what_stays_dirty_is_written_up_to_its_size(files: Files) -> None:
    load = Load("write", MIB, data="dirty", order="sequential")
    assert files.blocks(load) == [0, MIB]


def test_requests_larger_than_the_file_are_refused(files: Files) -> None:
    with pytest.raises(ValueError, match="too few for requests of"):
        files.blocks(Load("read", 2 * MIB))


def test_each_load_has_its_file(files: Files) -> None:
    assert files.path(HITS) == files.cached
    assert files.path(MISSES) == files.evicted
    assert files.path(Load("write", data="dirty")) == files.dirty
