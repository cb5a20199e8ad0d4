"""What a listing asks of every name, in C and without: the same answers."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from aio import entries, kernel
from aio._entries import ENTRIES

_MASK = kernel.STATX_BASIC_STATS


@pytest.fixture(params=["compiled", "pure"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways to look; what is not built here is skipped."""
    if request.param == "compiled":
        try:
            ENTRIES.load()
        except OSError as error:
            pytest.skip(str(error))
    else:
        monkeypatch.setattr(ENTRIES, "at_hand", lambda: None)
    return str(request.param)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[int]:
    fd = os.open(tmp_path, os.O_RDONLY)
    yield fd
    os.close(fd)


def _read(folder: int, *names: str) -> list[tuple[int, bool] | None]:
    """(kind, has attributes) of each name."""
    found = entries.read_entries(folder, names, _MASK)
    return [one and (stat.S_IFMT(one.status.mode), one.has_user_attributes) for one in found]


@pytest.mark.usefixtures("way")
def test_each_name_is_looked_at_itself_in_its_order(tmp_path: Path, folder: int) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    (tmp_path / "sub").mkdir()
    (tmp_path / "link").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe")
    assert _read(folder, "sub", "gone", "link", "file", "pipe", ".", "x" * 256) == [
        (stat.S_IFDIR, False),
        None,
        (stat.S_IFLNK, False),
        (stat.S_IFREG, False),
        (stat.S_IFIFO, False),
        (stat.S_IFDIR, False),
        None,
    ]
    (one,) = entries.read_entries(folder, ["file"], _MASK)
    assert one is not None
    assert one.status.size == 5
    assert one.status.ino == (tmp_path / "file").stat().st_ino
    assert entries.read_entries(folder, [], _MASK) == []


@pytest.mark.usefixtures("way")
def test_a_user_s_attributes_are_seen_and_others_are_none(tmp_path: Path, folder: int) -> None:
    for name in ("user", "many", "other", "xuser"):
        (tmp_path / name).touch()
    os.setxattr(tmp_path / "user", "user.DOSATTRIB", b"x")
    for number in range(30):  # more names than fit into the room for them
        os.setxattr(tmp_path / "many", f"user.{number:050}", b"")
    names = ["user", "many", "xuser"]
    if os.geteuid() == 0:
        os.setxattr(tmp_path / "other", "trusted.user", b"x")
        names.append("other")
    assert (
        _read(folder, *names)
        == [
            (stat.S_IFREG, True),
            (stat.S_IFREG, True),
            (stat.S_IFREG, False),
            (stat.S_IFREG, False),
        ][: len(names)]
    )


@pytest.mark.usefixtures("way")
def test_any_bytes_are_a_name_and_the_longest_too(tmp_path: Path, folder: int) -> None:
    names = ["na\udcefve", "ü" * 127, "n" * 255, " ", "..", "a\nb"]
    for name in names:
        if name != "..":
            (tmp_path / name).touch()
            os.setxattr(tmp_path / name, "user.x", b"")
    assert [one is not None and one[1] for one in _read(folder, *names)][:4] == [True] * 4
    assert all(_read(folder, *names))


def test_an_extension_that_is_not_at_hand_is_loaded_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("_loaded", "_begun"):  # and as it was, after the test
        monkeypatch.setattr(ENTRIES, name, None)
    monkeypatch.setenv("AIO_EXTENSIONS", "off")
    assert ENTRIES.at_hand() is None
    assert ENTRIES.at_hand() is None
    ENTRIES.forget()
    monkeypatch.delenv("AIO_EXTENSIONS")
    ENTRIES.at_hand()  # None or not: a thread has begun
    try:
        module = ENTRIES.load()  # which waits for that thread, or finds out what it has
    except OSError as error:
        pytest.skip(str(error))
    assert ENTRIES.at_hand() is module
