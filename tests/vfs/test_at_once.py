"""When the event loop makes changes of names itself."""

import errno
import os
import threading
from time import perf_counter

import pytest

from aio.inodes import busy
from aio.leaky_bucket import LeakyBucket
from smbd.vfs import Root, at_once, place
from smbd.vfs.at_once import AtOnce
from smbd.vfs.closes import place_of_small


@pytest.fixture
def clock(monkeypatch):
    """A clock that a test moves on: a list of one."""
    # Ahead of what other tests have written on the same file system, which its gate remembers.
    now = [perf_counter() + 1000.0]
    for module in (at_once, place):
        monkeypatch.setattr(module, "perf_counter", lambda: now[0])
    monkeypatch.setattr(at_once, "thread_time", lambda: 0.0)
    monkeypatch.setattr(LeakyBucket, "look", lambda *_: None)
    monkeypatch.setattr("aio.leaky_bucket._delayed", lambda: 0.0)
    return now


@pytest.fixture
def fd(tmp_path):
    fd = os.open(tmp_path, os.O_PATH)
    yield fd
    os.close(fd)


@pytest.fixture
def gate(fd, clock):
    return AtOnce(os.fstat(fd).st_dev)


def quick(gate, clock, seconds=0.0001):
    began = clock[0]
    clock[0] += seconds
    gate.returned(began)


def test_a_worker_goes_first_after_a_pause(gate, fd, clock):
    assert not gate.admits(fd, clock[0])
    quick(gate, clock)
    assert gate.admits(fd, clock[0])
    clock[0] += 0.021
    assert not gate.admits(fd, clock[0])


def test_a_worker_that_was_slow_lets_the_loop_do_nothing(gate, fd, clock):
    quick(gate, clock, 0.009)
    assert not gate.admits(fd, clock[0])


def test_after_a_stall_the_loop_stays_away_until_a_worker_was_quick(gate, fd, clock):
    quick(gate, clock)
    began = clock[0]
    clock[0] += 0.01
    gate.made(began)
    quick(gate, clock)
    assert not gate.admits(fd, clock[0])
    clock[0] += 0.21
    assert not gate.admits(fd, clock[0])
    quick(gate, clock)
    assert gate.admits(fd, clock[0])


def test_short_waits_are_added_up(gate, fd, clock):
    quick(gate, clock)
    for _ in range(4):
        assert gate.admits(fd, clock[0])
        began = clock[0]
        clock[0] += 0.0022
        gate.made(began)
    assert not gate.admits(fd, clock[0])


def test_long_work_of_the_kernel_is_no_wait(gate, fd, clock, monkeypatch):
    """ext4's, for a new file after many deletions."""
    quick(gate, clock)
    worked = [0.0]
    monkeypatch.setattr(at_once, "thread_time", lambda: worked[0])
    for _ in range(20):
        assert gate.admits(fd, clock[0])
        began = clock[0]
        clock[0] += 0.0022
        worked[0] += 0.0021
        gate.made(began)
    assert gate.admits(fd, clock[0])


def test_the_loop_does_nothing_beside_a_flush_on_the_same_file_system(gate, fd, clock, tmp_path):
    quick(gate, clock)
    with (tmp_path / "a").open("wb") as file:
        with busy(file.fileno(), strains=True):
            assert not gate.admits(fd, clock[0])
        with busy(file.fileno()):
            assert gate.admits(fd, clock[0])


@pytest.mark.parametrize(("threads", "may"), [(0, True), (8, False)])
def test_a_machine_that_serves_nfs_may_have_given_delegations(
    gate, fd, clock, tmp_path, monkeypatch, threads, may
):
    quick(gate, clock)
    (tmp_path / "nfsd").write_text(f"rc 0 0 0\nio 0 0\nth {threads} 0 0.000\n")
    monkeypatch.setattr(at_once, "_NFS_SERVER", tmp_path / "nfsd")
    assert gate.admits(fd, clock[0]) == may


def test_nothing_is_made_in_a_folder_that_has_not_been_read(tmp_path, monkeypatch):
    monkeypatch.setattr(AtOnce, "admits", lambda *_: True)
    with Root(tmp_path) as root:
        with root.place_at_once("new") as found:
            assert found.create_at_once(directory=False) is None
        root.create("first", directory=False).close()
        with root.place_at_once("new") as found:
            found.create_at_once(directory=False).close()
        with root.place_at_once("NEW") as found:
            assert found.create_at_once(directory=False) is None
    assert sorted(one.name for one in tmp_path.iterdir()) == ["first", "new"]


def test_a_place_that_cannot_be_looked_at_is_left_again(tmp_path, monkeypatch):
    def fail(_entry):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(AtOnce, "admits", lambda *_: True)
    with Root(tmp_path) as root, root.create("file", directory=False) as file:
        monkeypatch.setattr("smbd.vfs.changes.Entry.status", fail)
        assert place_of_small(file) is None
        monkeypatch.undo()
        taken = threading.Thread(target=root.create, args=("other", False))
        taken.start()
        taken.join(5)
        assert not taken.is_alive()


def test_what_another_process_has_made_is_seen(tmp_path, monkeypatch):
    monkeypatch.setattr(AtOnce, "admits", lambda *_: True)
    with Root(tmp_path) as root:
        root.create("first", directory=False).close()
        (tmp_path / "Theirs").touch()
        with root.place_at_once("theirs") as found:
            assert found.create_at_once(directory=False) is None


@pytest.mark.parametrize("kind", [0x794C7630, 0x65735546, 0x6969, 0xFF534D42])  # overlayfs ...
def test_file_systems_that_copy_or_ask_others_are_a_worker_s(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(at_once, "_all", {})
    assert at_once.at_once_on(1, kind) is None
    assert at_once.at_once_on(1, 0xEF53) is at_once.at_once_on(1, 0xEF53)


def test_a_worker_s_change_says_that_the_file_system_is_quick(tmp_path):
    with Root(tmp_path) as root:
        root.create("first", directory=False).close()
        gate = root.file_systems.at_once(tmp_path.stat().st_dev)
        if gate is not None:
            assert gate._quick_at <= perf_counter()
