"""What the kernel tells of other processes' changes, by fanotify and by inotify."""

import errno
import os
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

from aio import kernel
from smbd.vfs import watches

FOLDER = os.O_RDONLY | os.O_DIRECTORY


def opened(kind):
    try:
        return kind()
    except OSError as error:
        pytest.skip(f"{kind.name}: {error.strerror}")


@pytest.fixture(params=[watches.Fanotify, watches.Inotify], ids=lambda kind: kind.name)
def found(request):
    """The one kind and the other."""
    one = opened(request.param)
    yield one
    one.close()


@contextmanager
def descriptor(path, flags=FOLDER):
    fd = os.open(path, flags)
    try:
        yield fd
    finally:
        os.close(fd)


def elsewhere(folder, commands):
    subprocess.run(["/bin/sh", "-ec", commands], cwd=folder, check=True)


def test_a_marked_directory_tells_of_what_lies_in_it(found, tmp_path):
    with descriptor(tmp_path) as fd:
        key = found.mark(fd, directory=True)
    elsewhere(tmp_path, ": > a; mkdir b; mv a c; rm c")
    told = found.read()
    assert {one.directory for one in told} == {key}
    assert [(one.name, one.new_name, one.is_directory) for one in told] == [
        ("a", "", False),
        ("b", "", True),
        ("a", "c", False),
        ("c", "", False),
    ]
    assert told[2].new_directory == key
    assert found.read() == []


def test_a_marked_file_tells_of_itself_by_any_name(found, tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"")
    os.link(path, tmp_path / "b")
    with descriptor(path, os.O_PATH) as fd:
        key = found.mark(fd, directory=False)
    for commands, kind in (
        ("echo > b", kernel.IN_MODIFY),
        ("chmod 600 b", kernel.IN_ATTRIB),
        ("mv b c", kernel.IN_MOVE_SELF),
        ("rm a", kernel.IN_ATTRIB),
    ):
        elsewhere(tmp_path, commands)
        told = found.read()
        assert {one.subject for one in told} == {key}
        assert any(one.mask & kind for one in told)


def test_half_a_rename_is_told_of_the_directory_that_is_marked(found, tmp_path):
    (tmp_path / "in").mkdir()
    with descriptor(tmp_path / "in") as fd:
        key = found.mark(fd, directory=True)
    elsewhere(tmp_path, ": > a; mv a in/b; mv in/b c")
    came, went = found.read()
    assert key in {came.directory, came.new_directory}
    assert "b" in {came.name, came.new_name}
    assert (went.directory, went.name) == (key, "b")
    assert went.new_name == ""


@pytest.mark.parametrize("by_path", [True, False])
def test_without_its_mark_a_directory_tells_nothing(found, tmp_path, by_path):
    with descriptor(tmp_path) as fd:
        key = found.mark(fd, directory=True)
        if by_path:
            found.unmark(key, str(tmp_path))
        else:
            found.unmark_open(key, fd, directory=True)
    elsewhere(tmp_path, ": > a")
    assert not any(one.name for one in found.read())


def test_a_mark_is_not_taken_from_what_has_its_path_now(tmp_path):
    found = opened(watches.Fanotify)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    with descriptor(tmp_path / "a") as first, descriptor(tmp_path / "b") as second:
        key = found.mark(first, directory=True)
        found.mark(second, directory=True)
    found.unmark(key, str(tmp_path / "b"))
    elsewhere(tmp_path, ": > b/file")
    assert [one.name for one in found.read()] == ["file"]
    found.close()


def test_fanotify_knows_what_this_process_did(tmp_path):
    found = opened(watches.Fanotify)
    with descriptor(tmp_path) as fd:
        found.mark(fd, directory=True)
    (tmp_path / "mine").touch()
    elsewhere(tmp_path, ": > theirs")
    names = {one.name: one.ours for one in found.read()}
    assert names == {"mine": True, "theirs": False}
    found.close()


_AS_NOBODY = """
import os, subprocess
from smbd.vfs import watches
os.setuid(65534)
found = watches.Fanotify()
found.mark(os.open(".", os.O_RDONLY), directory=True)
open("mine", "w").close()
subprocess.run(["/bin/sh", "-c", ": > theirs"], check=True)
print({one.name: one.ours for one in found.read() if one.mask & 0x100})
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become nobody")
def test_fanotify_needs_no_privileges():
    """Since Linux 5.13; the other process is then unknown, but not ours."""
    opened(watches.Fanotify).close()
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        Path(folder).chmod(0o777)
        done = subprocess.run(
            [sys.executable, "-c", _AS_NOBODY],
            cwd=folder, env={"PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert done.stdout == "{'mine': True, 'theirs': False}\n", done.stderr


def test_before_linux_5_17_the_halves_of_a_rename_come_apart(tmp_path, monkeypatch):
    found = opened(watches.Fanotify)
    mark = kernel.fanotify_add_mark

    def older(fd, mask, target):
        if mask & kernel.FAN_RENAME:
            raise OSError(errno.EINVAL, "as an older kernel")
        mark(fd, mask, target)

    monkeypatch.setattr(kernel, "fanotify_add_mark", older)
    with descriptor(tmp_path) as fd:
        found.mark(fd, directory=True)
    elsewhere(tmp_path, ": > a; mv a b")
    masks = {one.name: one.mask for one in found.read()}
    assert masks["a"] & kernel.IN_MOVED_FROM
    assert masks["b"] & kernel.IN_MOVED_TO
    found.close()


def test_a_walk_marks_directories_and_follows_no_link(tmp_path):
    elsewhere(
        tmp_path, "mkdir -p in/a/b in/.smbd-streams/c out/d; ln -s ../out in/link; : > in/a/f"
    )
    marked = []
    with descriptor(tmp_path / "in", os.O_PATH) as top:
        whole = list(watches.walk(top, "", marked.append, lambda: True))
        part = list(watches.walk(top, "a", lambda _: 7, lambda: True))
        gone = list(watches.walk(top, "link", lambda _: 7, lambda: True))
        none = list(watches.walk(top, "", lambda _: 7, lambda: False))
    assert [(path, filled) for path, _, filled in whole] == [
        ("", True),
        ("a", True),
        ("a/b", False),
    ]
    assert len(marked) == 3
    assert part == [("a", 7, True), ("a/b", 7, False)]
    assert gone == none == []


def test_what_a_folder_is_watched_by_is_described(tmp_path, monkeypatch):
    opened(watches.Fanotify).close()
    assert watches.describe(tmp_path) == "fanotify"
    monkeypatch.setattr(watches, "asks_others", lambda _: True)
    alone = "fanotify, of this machine alone, so clients cache nothing"
    assert watches.describe(tmp_path) == alone
    monkeypatch.undo()

    def refused():
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(kernel, "fanotify_init", refused)
    by_inotify = (
        "inotify (fanotify: Operation not permitted), which does not say whose they are, "
        "so clients cache nothing"
    )
    assert watches.describe(tmp_path) == by_inotify
    monkeypatch.setattr(kernel, "inotify_init", refused)
    assert watches.describe(tmp_path).startswith("not seen, so clients cache nothing (fanotify: O")
