"""Which close(2) the event loop may make itself."""

import pytest

from aio import mounted
from smbd.vfs import Root
from smbd.vfs.at_once import AtOnce
from smbd.vfs.closes import close_may_wait

NFS = 0x6969


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    """Whether the loop may change something now: a list of one."""
    may = [False]
    monkeypatch.setattr(AtOnce, "admits", lambda *_: may[0])
    return may


@pytest.fixture
def root(tmp_path):
    (tmp_path / "a").write_bytes(b"data")
    with Root(tmp_path) as root:
        yield root


def opened(root):
    return root.open("a", read=True, write=False)


def test_of_a_local_file_that_nobody_wrote_it_waits_for_nothing(root):
    with opened(root) as file:
        assert not close_may_wait(file, written=False)
        assert close_may_wait(file, written=True)


def test_it_waits_for_the_blocks_of_a_file_that_anybody_has_removed(root):
    with opened(root) as file:
        (root.path / "a").unlink()
        assert close_may_wait(file, written=False)


def test_the_loop_gives_up_little_itself_where_changes_are_quick(root, at_once):
    at_once[0] = True
    with opened(root) as file:
        assert not close_may_wait(file, written=True)
        (root.path / "a").write_bytes(bytes(2 << 20))
        assert close_may_wait(file, written=True)
        (root.path / "a").unlink()
        assert close_may_wait(file, written=False)


def test_an_open_for_attributes_alone_keeps_a_removed_file_too(root):
    with root.open("a", read=False, write=False) as file:
        assert not close_may_wait(file, written=False)
        (root.path / "a").unlink()
        assert close_may_wait(file, written=False)


def test_of_a_file_system_that_asks_another_machine_it_always_may(root, monkeypatch):
    monkeypatch.setattr(mounted, "_types", {})
    monkeypatch.setattr(mounted, "file_system_type", lambda _: NFS)
    with opened(root) as file:
        assert file.asks_others
        assert close_may_wait(file, written=False)
