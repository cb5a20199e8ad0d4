"""Which close(2) the event loop may make itself."""

import os

import pytest

from smbd.vfs import Root, closes
from smbd.vfs.closes import close_and_learn, close_may_wait

NFS = 0x6969


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setattr(closes, "_local_until", {})
    (tmp_path / "a").write_bytes(b"data")
    with Root(tmp_path) as root:
        yield root


def opened(root):
    return root.open("a", read=True, write=False)


def test_of_a_file_system_that_is_not_known_yet_it_may_wait(root):
    with opened(root) as file:
        assert close_may_wait(file, written=False)


def test_of_a_local_one_it_does_not_once_one_was_closed_there(root):
    close_and_learn(opened(root))
    with opened(root) as file:
        assert not close_may_wait(file, written=False)
        assert close_may_wait(file, written=True)


def test_it_waits_for_the_blocks_of_a_file_that_anybody_has_removed(root):
    close_and_learn(opened(root))
    with opened(root) as file:
        (root.path / "a").unlink()
        assert close_may_wait(file, written=False)


def test_an_open_for_attributes_alone_keeps_a_removed_file_too(root):
    close_and_learn(opened(root))
    with root.open("a", read=False, write=False) as file:
        assert not close_may_wait(file, written=False)
        (root.path / "a").unlink()
        assert close_may_wait(file, written=False)


def test_of_a_file_system_that_asks_another_machine_it_always_may(root, monkeypatch):
    monkeypatch.setattr(closes, "file_system_type", lambda _: NFS)
    close_and_learn(opened(root))
    with opened(root) as file:
        assert close_may_wait(file, written=False)


def test_what_was_learnt_of_a_device_number_is_believed_for_a_while(root, monkeypatch):
    close_and_learn(opened(root))
    later = closes.monotonic() + 61
    monkeypatch.setattr(closes, "monotonic", lambda: later)
    with opened(root) as file:
        assert close_may_wait(file, written=False)


def test_a_close_that_fails_closes_all_the_same(root, monkeypatch):
    file = opened(root)
    fd = file.fd
    monkeypatch.setattr(closes, "file_system_type", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        close_and_learn(file)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)
