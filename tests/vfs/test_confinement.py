"""Nothing outside a share's root is ever reached; nothing in it blocks or bites."""

import contextlib
import errno
import os
import socket
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from smbd import vfs
from smbd.ntstatus import NtError, NtStatus
from smbd.vfs import confine
from smbd.wire.fscc import ExtendedAttribute
from tests.vfs.conftest import another_user, content, read, refused, stat_of


def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def _two_folders(share: Path, outside: Path) -> None:
    outside.mkdir()
    (share / "dir").mkdir()
    (share / "evil").symlink_to(outside)


@contextlib.contextmanager
def _an_attacker_who_swaps(share: Path) -> Iterator[None]:
    """Somebody on the machine makes the folder "dir" a link to the outside and back, in a loop."""
    over = threading.Event()

    def swap() -> None:
        while not over.is_set():
            (share / "dir").rename(share / "aside")
            (share / "evil").rename(share / "dir")
            (share / "dir").rename(share / "evil")
            (share / "aside").rename(share / "dir")

    attacker = threading.Thread(target=swap)
    attacker.start()
    try:
        yield
    finally:
        over.set()
        attacker.join()


@pytest.mark.parametrize(
    "target",
    [
        "../secret.txt",
        "/etc/passwd",
        "/",
        "..",
        "sub/../../secret.txt",
        "inner",  # which leads out
        "inner/passwd",
        "loop",
        "./../share/../secret.txt",
        "/proc/self/root",
    ],
)
def test_a_symlink_that_leads_out_is_denied(root: vfs.Root, share: Path, target: str) -> None:
    (share / "sub").mkdir()
    (share / "inner").symlink_to("/etc")
    (share / "loop").symlink_to("loop")
    (share / "way").symlink_to(target)
    for path in ("way", "way/below", vfs.name_to_path("sub\\..\\way")):
        with pytest.raises((NtError, OSError)) as caught:
            root.open(path, read=True, write=False)
        assert isinstance(caught.value, NtError), path
        assert caught.value.status == NtStatus.ACCESS_DENIED
    with refused(NtStatus.OBJECT_NAME_COLLISION):
        root.create("WAY", directory=False)
    with refused(NtStatus.ACCESS_DENIED):
        root.create("way/new", directory=True)


def test_symlinks_that_stay_inside_are_followed(root: vfs.Root, share: Path) -> None:
    (share / "a" / "b").mkdir(parents=True)
    (share / "a" / "b" / "file").write_text("found")
    (share / "direct").symlink_to("a/b/file")
    (share / "a" / "up").symlink_to("../a/b/../b")
    (share / "chain").symlink_to("a/up/file")
    (share / "a" / "b" / "home").symlink_to("../..")
    for path in ("direct", "a/up/file", "chain", "a/b/home/direct", "a/b/home/a/up/home/chain"):
        assert read(root, path) == b"found"
    with root.create("a/up/new", directory=False):
        assert (share / "a" / "b" / "new").exists()


def test_no_symlink_leads_to_the_streams_of_other_files(root: vfs.Root, share: Path) -> None:
    (share / ".smbd-streams").mkdir()
    (share / ".smbd-streams" / "0").write_text("of a file whose access list is not asked here")
    (share / "sub").mkdir()
    (share / "sub" / "way").symlink_to("../.smbd-streams")
    (share / "direct").symlink_to("sub/way/0")
    for path in ("sub/way", "sub/way/0", "direct"):
        assert root.lookup.cached(path) is None
        with refused(NtStatus.ACCESS_DENIED):
            read(root, path)


def test_links_without_end_and_deep_chains(root: vfs.Root, share: Path) -> None:
    (share / "link0").write_text("end")
    for number in range(60):
        (share / f"link{number + 1}").symlink_to(f"link{number}")
    assert read(root, "link30") == b"end"
    with refused(NtStatus.ACCESS_DENIED):
        read(root, "link60")


@pytest.mark.parametrize(
    "path", ["../secret.txt", "a/../../secret.txt", "..", "../share/../secret.txt"]
)
def test_a_path_that_was_never_checked_still_cannot_leave(
    root: vfs.Root, share: Path, path: str
) -> None:
    (share / "a").mkdir()
    with refused(NtStatus.ACCESS_DENIED):
        root.open(path, read=True, write=False)


def test_what_is_no_file_is_not_even_tried(root: vfs.Root, share: Path) -> None:
    os.mkfifo(share / "fifo")
    listener = socket.socket(socket.AF_UNIX)
    at = os.open(share, os.O_PATH)
    with listener:
        listener.bind(f"/proc/self/fd/{at}/socket")
        os.close(at)
        for path in ("fifo", "socket"):
            for read_, write in ((True, False), (False, True), (True, True), (False, False)):
                with refused(NtStatus.ACCESS_DENIED):
                    root.open(path, read=read_, write=write)
            with refused(NtStatus.OBJECT_NAME_COLLISION):
                root.create(path, directory=False)
    if os.geteuid() == 0:
        os.mknod(share / "null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        with refused(NtStatus.ACCESS_DENIED):
            root.open("null", read=True, write=True)


def test_a_name_that_is_swapped_for_a_way_out_meanwhile_never_gives_the_outside(
    root: vfs.Root, share: Path
) -> None:
    outside = share.parent / "outside"
    _two_folders(share, outside)
    (share / "dir" / "file").write_text("inside")
    (outside / "file").write_text("outside")
    (share / "deep").mkdir()
    (share / "deep" / "link").symlink_to("../dir/file")
    seen = set()
    enough = time.monotonic() + 10  # two threads that want one interpreter: 1 to 75 ms a round
    with _an_attacker_who_swaps(share):
        for number in range(1500):
            if number >= 100 and time.monotonic() > enough:
                break
            for path in ("dir/file", "deep/link"):
                try:
                    seen.add(read(root, path))
                except (NtError, OSError):
                    seen.add(b"refused")
    assert b"outside" not in seen
    assert b"inside" in seen


def test_new_files_never_land_outside_while_their_folder_is_swapped(
    root: vfs.Root, share: Path
) -> None:
    outside = share.parent / "outside"
    _two_folders(share, outside)
    made = 0
    with _an_attacker_who_swaps(share):
        for number in range(20_000):
            with (
                contextlib.suppress(NtError, OSError),
                root.create(f"dir/{number}", directory=False) as file,
            ):
                made += 1
                root.rename(file, f"dir/renamed{number}", replace=True)
                root.remove(file)
            if made == 50:
                break
    assert list(outside.iterdir()) == []
    assert made


def test_openat2_that_cannot_decide_is_asked_again_and_then_walked(
    share: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (share / "file").write_text("found")
    asked = []

    def undecided(*args: object, **kwargs: object) -> int:
        asked.append(args)
        raise BlockingIOError(errno.EAGAIN, "somebody renames")

    with vfs.Root(share) as root:
        if not root.uses_openat2:
            pytest.skip("no openat2 here")
        monkeypatch.setattr(confine.kernel, "openat2", undecided)
        assert read(root, "file") == b"found"
    assert len(asked) > 10


def test_without_openat2_the_walk_is_chosen(share: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*args: object, **kwargs: object) -> int:
        raise OSError(errno.ENOSYS, "no such call")

    monkeypatch.setattr(confine.kernel, "openat2", missing)
    with vfs.Root(share) as root:
        assert not root.uses_openat2
        root.create("file", directory=False).close()


def test_without_proc_files_are_reopened_by_name(
    root: vfs.Root, share: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(root.lookup, "has_proc", False)
    (share / "dir").mkdir()
    (share / "dir" / "file").write_text("found")
    (share / "link").symlink_to("dir/file")
    os.mkfifo(share / "fifo")
    assert read(root, "DIR/file") == b"found"
    assert read(root, "link") == b"found"
    with refused(NtStatus.ACCESS_DENIED):
        read(root, "fifo")
    with root.open("dir/file", read=False, write=True) as file:
        os.pwrite(file.fd, b"F", 0)
    with stat_of(root, "dir/file") as file:
        assert content(file) == b"Found"
        assert vfs.information(file).end_of_file == 5
    with root.open("", read=True, write=False) as top:
        shown = vfs.entries(top, ["dir", "link", "fifo"])
    assert [entry is not None for entry in shown] == [True, True, False]


def test_rights_on_disk_are_what_an_open_gets(root: vfs.Root, share: Path) -> None:
    share.chmod(0o777)
    for name, mode in (("closed", 0o000), ("write-only", 0o222), ("open", 0o666)):
        (share / name).write_text(name)
        (share / name).chmod(mode)
        if os.geteuid() == 0:
            os.chown(share / name, 65534, 65534)
    with another_user():
        with refused(NtStatus.ACCESS_DENIED):
            root.open("closed", read=True, write=False)
        with refused(NtStatus.ACCESS_DENIED):
            root.open("write-only", read=True, write=True)
        with root.open("write-only", read=False, write=True) as file:
            assert os.pwrite(file.fd, b"W", 0) == 1
        with stat_of(root, "closed") as file:
            assert vfs.information(file).end_of_file == 6
            assert not vfs.may_read(file)
            assert not vfs.may_write(file)
            assert vfs.may_remove(file)
        with stat_of(root, "open") as file:
            assert vfs.may_read(file)
            assert vfs.may_write(file)
            assert vfs.may_remove(file)


def test_a_folder_that_may_be_searched_but_not_read_serves_names_as_spelled(
    root: vfs.Root, share: Path
) -> None:
    share.chmod(0o777)
    (share / "blind").mkdir()
    (share / "blind" / "file").write_text("found")
    (share / "blind").chmod(0o333)
    if os.geteuid() == 0:
        os.chown(share / "blind", 65534, 65534)
    with another_user():
        assert read(root, "blind/file") == b"found"
        with refused(NtStatus.OBJECT_NAME_NOT_FOUND):
            read(root, "blind/FILE")
        with root.create("blind/new", directory=False) as file:
            root.rename(file, "blind/file", replace=True)
        with refused(NtStatus.OBJECT_NAME_COLLISION):
            root.create("blind/file", directory=False)


def test_a_read_only_share_changes_nothing(share: Path) -> None:
    (share / "file").write_text("kept")
    with vfs.Root(share, read_only=True) as root, stat_of(root, "file") as file:
        attempts = [
            lambda: root.open("file", read=False, write=True),
            lambda: root.create("new", directory=False),
            lambda: root.rename(file, "other", replace=False),
            lambda: root.link(file, "other", replace=False),
            lambda: root.remove(file),
            lambda: vfs.set_attributes(file, 1),
            lambda: vfs.set_sparse(file, sparse=True),
            lambda: vfs.set_times(file, 1, None, None, None),
            lambda: vfs.set_eas(file, [ExtendedAttribute(b"A", b"1")]),
            lambda: vfs.set_end_of_file(file, 0),
        ]
        for attempt in attempts:
            with refused(NtStatus.ACCESS_DENIED):
                attempt()
        assert not vfs.may_write(file)
        assert not vfs.may_describe(file)
        assert not vfs.may_remove(file)
        assert read(root, "file") == b"kept"
    assert sorted(path.name for path in share.iterdir()) == ["file"]


def test_descriptors_are_closed_on_exec_and_none_is_left(root: vfs.Root, share: Path) -> None:
    (share / "dir").mkdir()
    (share / "dir" / "file").write_text("x")
    (share / "link").symlink_to("dir/../dir/file")
    before = _descriptors()
    for path in (
        "dir/file",
        "DIR/FILE",
        "link",
        "dir",
        "",
        "missing",
        "dir/missing",
        "no/way",
        "link/x",
    ):
        for read_, write in ((True, False), (True, True), (False, False)):
            try:
                file = root.open(path, read=read_, write=write)
            except (NtError, OSError):
                continue
            assert not os.get_inheritable(file.fd)
            file.close()
            file.close()
    with root.create("new", directory=False) as file:
        root.rename(file, "newer", replace=False)
        root.remove(file)
        with refused(NtStatus.OBJECT_NAME_NOT_FOUND):
            root.remove(file)
    assert _descriptors() == before
