"""Copies between open files: by the kernel, and by hand where it cannot."""

import errno
import os

import pytest

from smbd import vfs
from smbd.vfs import copy_range

DATA = bytes(range(256)) * 1024


@pytest.fixture(params=["by the kernel", "by hand"])
def way(request, monkeypatch):
    if request.param == "by hand":

        def refuse(*_args):
            raise OSError(errno.EXDEV, "between file systems")

        monkeypatch.setattr(os, "copy_file_range", refuse)


@pytest.fixture
def files(tmp_path):
    """Files of a share, opened for reading and writing."""
    opened = []
    with vfs.Root(tmp_path) as root:

        def get(name, data=b""):
            (tmp_path / name).write_bytes(data)
            opened.append(root.open(name, read=True, write=True))
            return opened[-1]

        yield get
        for one in opened:
            one.close()


def test_a_range_is_copied(way, files, tmp_path):
    source, target = files("source", DATA), files("target", b"x" * 10)
    assert copy_range(source, target, 1000, 5, 100_000) == 100_000
    assert (tmp_path / "target").read_bytes() == b"x" * 5 + DATA[1000:101_000]


def test_the_last_bytes_are_copied_and_not_one_more(way, files, tmp_path):
    source, target = files("source", DATA), files("target")
    assert copy_range(source, target, len(DATA) - 10, 0, 11) == 0
    assert (tmp_path / "target").read_bytes() == b""
    assert copy_range(source, target, len(DATA) - 10, 0, 10) == 10
    assert (tmp_path / "target").read_bytes() == DATA[-10:]


@pytest.mark.parametrize("target_start", [1, 50_000, 150_000])
def test_overlapping_ranges_are_as_if_read_first(way, files, tmp_path, target_start):
    file = files("file", DATA)
    assert copy_range(file, file, 0, target_start, 100_000) == 100_000
    expected = bytearray(DATA)
    expected[target_start : target_start + 100_000] = DATA[:100_000]
    assert (tmp_path / "file").read_bytes() == expected


def test_a_kernel_that_copies_piecemeal_is_asked_again(files, monkeypatch, tmp_path):
    whole = os.copy_file_range
    monkeypatch.setattr(
        os, "copy_file_range", lambda a, b, count, *at: whole(a, b, min(count, 999), *at)
    )
    source, target = files("source", DATA), files("target")
    assert copy_range(source, target, 7, 0, 10_000) == 10_000
    assert (tmp_path / "target").read_bytes() == DATA[7:10_007]


def test_by_hand_short_reads_and_writes_go_on_where_they_stopped(files, monkeypatch, tmp_path):
    def refuse(*_args):
        raise OSError(errno.EXDEV, "between file systems")

    read, write = os.preadv, os.pwrite
    monkeypatch.setattr(os, "copy_file_range", refuse)
    monkeypatch.setattr(os, "preadv", lambda fd, into, at: read(fd, [into[0][:999]], at))
    monkeypatch.setattr(os, "pwrite", lambda fd, data, at: write(fd, data[:77], at))
    source, target = files("source", DATA), files("target")
    assert copy_range(source, target, 7, 0, 10_000) == 10_000
    assert (tmp_path / "target").read_bytes() == DATA[7:10_007]


def test_other_errors_are_the_callers(files, monkeypatch):
    def full(*_args):
        raise OSError(errno.ENOSPC, "no room")

    monkeypatch.setattr(os, "copy_file_range", full)
    with pytest.raises(OSError, match="no room"):
        copy_range(files("source", DATA), files("target"), 0, 0, 10)
