"""Named streams on disk: what a kill leaves of them, copies, moves and removals by others."""

import contextlib
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from smbd import vfs
from smbd.ntstatus import NtError, NtStatus
from tests.aio.mounts import memory, mounted
from tests.vfs.conftest import refused

STORE = ".smbd-streams"
LARGE = bytes(range(256)) * 400
OLD, NEW = b"old", b"new" * 20_000


@pytest.fixture(autouse=True)
def _attributes(share: Path) -> None:
    try:
        os.setxattr(share, "user.probe", b"")
    except OSError as error:
        pytest.skip(f"no extended attributes here: {error.strerror}")


def opened(root: vfs.Root, path: str, stream: str = "s", *, write: bool = False) -> vfs.StreamFile:
    file = root.open(path, read=True, write=write)
    try:
        return vfs.open_stream(file, stream, read=True, write=write)
    except BaseException:
        file.close()
        raise


def put(root: vfs.Root, path: str, content: bytes, stream: str = "s") -> None:
    if not (root.path / path).exists():
        (root.path / path).touch()
    with root.open(path, read=False, write=False) as file:
        if not vfs.has_stream(file, stream):
            vfs.create_stream(file, stream, vfs.Unheard())
    with opened(root, path, stream, write=True) as file:
        vfs.overwrite(file)
        os.pwrite(file.fd, content, 0)
        file.settle()


def get(root: vfs.Root, path: str, stream: str = "s") -> bytes:
    with opened(root, path, stream) as file:
        return os.pread(file.fd, 1 << 24, 0)


def stored(root: vfs.Root) -> list[str]:
    there = root.path / STORE
    return sorted(one.name for one in there.iterdir()) if there.exists() else []


def swept(*roots: vfs.Root, grace: float = 0.0) -> int:
    sweep = vfs.Sweep(grace)
    for root in roots:
        done(sweep.look(root))
    for root in (*roots, *roots) if sweep.undecided else ():
        done(sweep.walk(root))
    done(sweep.finish())
    return sweep.removed


def done(steps: Iterator[None]) -> None:
    for _ in steps:
        pass


def copy_with_attributes(source: Path, target: Path) -> None:
    """As cp --preserve=xattr and rsync -X do."""
    target.write_bytes(source.read_bytes())
    for name in os.listxattr(source):
        os.setxattr(target, name, os.getxattr(source, name))


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "tmpfs"])
def test_small_and_large_streams_on_each_file_system(kind: str) -> None:
    with memory(32 << 20) if kind == "tmpfs" else mounted(kind) as made:
        folder = made if isinstance(made, Path) else made[0]
        try:
            os.setxattr(folder, "user.probe", b"")
        except OSError:
            pytest.skip(f"{kind} has no extended attributes in this kernel")
        with vfs.Root(folder) as root:
            fork = LARGE * 15
            put(root, "a", b"[ZoneTransfer]\r\nZoneId=3\r\n", "Zone.Identifier")
            put(root, "a", bytes(60), "AFP_AfpInfo")
            put(root, "a", fork, "AFP_Resource")
            assert get(root, "a", "zone.identifier") == b"[ZoneTransfer]\r\nZoneId=3\r\n"
            assert get(root, "a", "AFP_Resource") == fork
            with root.open("a", read=True, write=False) as file:
                sizes = {one.name: one.size for one in vfs.list_streams(file)}
            assert sizes == {"Zone.Identifier": 26, "AFP_AfpInfo": 60, "AFP_Resource": len(fork)}
            assert len(stored(root)) == 1
            assert swept(root) == 0


def test_streams_fill_the_attributes_of_a_file_and_then_the_store(root: vfs.Root) -> None:
    for number in range(8):
        put(root, "a", b"%d" % number * 2000, f"s{number}")
    for number in range(8):
        assert get(root, "a", f"s{number}") == b"%d" % number * 2000
    with root.open("a", read=True, write=False) as file:
        assert len(vfs.list_streams(file)) == 8


def test_what_another_server_has_put_into_an_attribute_stays_there_until_it_is_changed(
    root: vfs.Root,
) -> None:
    large = bytes(3000)  # more than we would put there on ext4
    (root.path / "a").touch()
    os.setxattr(root.path / "a", "user.DosStream.s:$DATA", large + b"\0")
    with opened(root, "a", write=True) as file:
        file.settle()
    assert stored(root) == []
    put(root, "a", large + b"changed")
    assert get(root, "a") == large + b"changed"


def test_on_a_full_disk_streams_can_still_be_read_and_removed() -> None:
    with memory(1 << 20) as folder, vfs.Root(folder) as root:
        put(root, "a", b"content")
        with contextlib.suppress(OSError):
            (folder / "filler").write_bytes(bytes(2 << 20))
        assert get(root, "a") == b"content"
        with pytest.raises(OSError, match="No space left"):
            put(root, "a", b"changed")
        with opened(root, "a") as file:
            file.remove()
        with root.open("a", read=False, write=False) as file:
            assert not vfs.has_streams(file)


def test_readers_have_it_in_memory_until_a_writer_comes_by_whichever_share(share: Path) -> None:
    (share / "a").touch()
    os.setxattr(share / "a", "user.DosStream.s:$DATA", b"content\0")
    with vfs.Root(share, read_only=True) as shown, vfs.Root(share) as served:
        with opened(shown, "a") as reader, opened(served, "a") as other:
            assert reader.memory == other.memory > 4096
            with opened(served, "a", write=True) as writer:
                assert writer.memory == reader.memory < 4096
                assert writer.has_moved_others()
                assert not writer.has_moved_others(), "it is told once"
                assert os.pread(reader.fd, 100, 0) == b"content"
                os.pwrite(writer.fd, LARGE, 0)
                assert os.pread(reader.fd, 100, 1000) == LARGE[1000:1100]
                writer.settle()
            assert os.pread(other.fd, 100, 1000) == LARGE[1000:1100]
        assert get(shown, "a") == LARGE


def test_a_stream_of_the_root_is_found_by_the_sweep(root: vfs.Root) -> None:
    put(root, "", LARGE)
    assert swept(root) == 0
    assert get(root, "") == LARGE


def test_a_file_has_a_bound_of_streams(root: vfs.Root, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("smbd.vfs.streams.file._MOST", 2)
    put(root, "a", b"1", "one")
    put(root, "a", b"2", "two")
    with root.open("a", read=True, write=False) as file, refused(NtStatus.INSUFFICIENT_RESOURCES):
        vfs.create_stream(file, "three", vfs.Unheard())


def test_a_file_system_without_attributes_has_no_streams(
    root: vfs.Root, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without(*_args: object) -> list[str]:
        raise OSError(95, "Operation not supported")

    (root.path / "a").touch()
    monkeypatch.setattr(os, "listxattr", without)
    with root.open("a", read=True, write=False) as file:
        assert vfs.list_streams(file) == []
        with refused(NtStatus.OBJECT_NAME_INVALID):
            vfs.create_stream(file, "s", vfs.Unheard())


def test_without_nameless_files_the_content_has_a_name_while_it_is_open(
    root: vfs.Root, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "O_TMPFILE", os.O_TMPFILE | os.O_CREAT)  # EINVAL: as vfat and NFS
    put(root, "a", b"small")
    assert get(root, "a") == b"small"
    assert stored(root) == []
    put(root, "a", LARGE)
    assert get(root, "a") == LARGE
    assert len(stored(root)) == 1
    with opened(root, "a"):
        assert swept(root) == 0


def test_where_the_shares_folder_takes_no_file_small_streams_are_worked_on_beside(
    share: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (share / "mine").mkdir()
    with vfs.Root(share) as root:
        plain = os.open

        def refusing(path, flags, mode=0o777, *, dir_fd=None):
            if dir_fd == root.lookup.fd and flags & os.O_TMPFILE == os.O_TMPFILE:
                raise PermissionError(13, "Permission denied")
            return plain(path, flags, mode, dir_fd=dir_fd)

        monkeypatch.setattr(os, "open", refusing)
        put(root, "mine/a", b"small")
        assert get(root, "mine/a") == b"small"


def test_a_share_within_another_finds_the_streams_of_both(share: Path) -> None:
    (share / "inner").mkdir()
    with vfs.Root(share) as outer, vfs.Root(share / "inner") as inner:
        put(outer, "inner/a", LARGE, "by the outer")
        put(inner, "a", LARGE[::-1], "by the inner")
        assert get(inner, "a", "by the outer") == LARGE
        assert get(outer, "inner/a", "by the inner") == LARGE[::-1]
        assert swept(outer, inner) == 0


def test_a_large_stream_goes_where_its_file_is_moved_from_share_to_share(share: Path) -> None:
    other = share.parent / "other"
    other.mkdir()
    with vfs.Root(share) as one, vfs.Root(other) as two:
        put(one, "a", LARGE)
        vfs.know_share(str(share))
        (share / "a").rename(other / "b")
        assert get(two, "b") == LARGE
        assert swept(one, two) == 0
        assert stored(one) == []
        assert len(stored(two)) == 1
        assert get(two, "b") == LARGE
        assert swept(two) == 0


# --- a kill ---


STEPS = ("setxattr", "removexattr", "fsync", "link", "mkdir", "unlink", "ftruncate", "pwrite")


def _put_until(root: vfs.Root, number: int) -> bool:
    """In a process of its own: write, and be killed before the call `number`; whether it was."""
    child = os.fork()
    if not child:
        try:
            _count_down(number)
            put(root, "a", NEW)
        finally:
            os._exit(0)
    return os.WEXITSTATUS(os.waitpid(child, 0)[1]) != 0


def _count_down(number: int) -> None:
    left = [number]

    def counted(function):
        def call(*args, **kwargs):
            left[0] -= 1
            if left[0] < 0:
                os._exit(9)
            return function(*args, **kwargs)

        return call

    for name in STEPS:
        setattr(os, name, counted(getattr(os, name)))


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("old", [OLD, NEW[::-1]], ids=["small", "large"])
def test_a_kill_at_any_step_leaves_the_old_content_or_the_new(share: Path, old: bytes) -> None:
    kills, seen = 0, set()
    with vfs.Root(share) as root:
        while True:
            put(root, "a", old)
            was_large = len(old) > len(OLD)
            if not _put_until(root, kills):
                break
            content = get(root, "a")
            # The content of a large one is a file, which a client overwrites in place.
            assert was_large or content in {old, NEW}
            seen.add(content)
            kills += 1
            swept(root)
            assert get(root, "a") == content, "the sweep took what is alive"
            assert len(stored(root)) <= 1, "the kill left litter"
            shutil.rmtree(share / STORE, ignore_errors=True)
            (share / "a").unlink()
        assert get(root, "a") == NEW
    assert kills >= (4 if old == OLD else 2)
    assert was_large or seen == {OLD}


# --- others work in the folder ---


def test_what_is_removed_leaves_nothing_in_the_store(root: vfs.Root) -> None:
    for name in ("stays", "removed", "by a client"):
        put(root, name, LARGE)
    (root.path / "removed").unlink()
    with root.open("by a client", read=False, write=False) as file:
        file.remove()
    assert len(stored(root)) == 3
    assert swept(root, grace=600.0) == 0, "they may be waiting for their reference"
    assert swept(root) == 2
    assert get(root, "stays") == LARGE


def test_a_sweep_finds_what_was_renamed_and_looks_there_the_next_time(
    root: vfs.Root, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(root, "a", LARGE)
    (root.path / "deep" / "er").mkdir(parents=True)
    (root.path / "a").rename(root.path / "deep" / "er" / "b")
    assert swept(root) == 0
    monkeypatch.setattr(vfs.Sweep, "walk", lambda *_: pytest.fail("it walks again"))
    assert swept(root) == 0
    assert get(root, "deep/er/b") == LARGE


def test_a_copy_is_alive_without_its_owner_and_the_owner_without_its_copy(root: vfs.Root) -> None:
    put(root, "owner", LARGE)
    copy_with_attributes(root.path / "owner", root.path / "copy")
    (root.path / "owner").unlink()
    assert swept(root) == 0
    assert get(root, "copy") == LARGE
    copy_with_attributes(root.path / "copy", root.path / "another")
    (root.path / "another").unlink()
    assert swept(root) == 0
    assert get(root, "copy") == LARGE
    assert len(stored(root)) == 1


def test_a_copy_that_is_opened_has_content_of_its_own(root: vfs.Root) -> None:
    put(root, "owner", LARGE)
    copy_with_attributes(root.path / "owner", root.path / "copy")
    put(root, "copy", b"changed" + LARGE)
    assert get(root, "owner") == LARGE
    assert get(root, "copy") == b"changed" + LARGE
    (root.path / "copy").unlink()
    assert swept(root) == 1
    assert get(root, "owner") == LARGE


@pytest.mark.parametrize(
    ("before", "after"), [("dir/a", "dir/a"), ("way/a", "dir/a"), ("dir/a", "l")]
)
def test_a_tree_that_was_restored_with_its_store_keeps_its_streams(
    share: Path, before: str, after: str
) -> None:
    again = share.parent / "again"
    (share / "dir").mkdir()
    (share / "way").symlink_to("dir")
    (share / "l").symlink_to("dir/a")
    with vfs.Root(share) as root:
        put(root, before, LARGE)
    shutil.copytree(share, again, symlinks=True)
    with vfs.Root(again) as root:
        number = stored(root)
        assert get(root, after) == LARGE
        assert stored(root) == number, "it is no copy of a file beside it"
        assert swept(root) == 0


def test_content_that_is_lost_leaves_a_name_that_can_be_written_again(root: vfs.Root) -> None:
    put(root, "a", LARGE)
    shutil.rmtree(root.path / STORE)
    with pytest.raises(NtError) as refusal:
        get(root, "a")
    assert refusal.value.status == NtStatus.OBJECT_NAME_NOT_FOUND
    with root.open("a", read=False, write=False) as file:
        vfs.create_stream(file, "s", vfs.Unheard())
    put(root, "a", b"again")
    assert get(root, "a") == b"again"


def test_a_folder_that_cannot_be_read_keeps_the_sweep_from_removing(
    root: vfs.Root, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(root, "a", LARGE)
    (root.path / "a").unlink()
    (root.path / "closed").mkdir()
    plain = os.listxattr

    def denied(target, **kwargs):
        if str(target).endswith("/closed"):
            raise PermissionError(13, "Permission denied")
        return plain(target, **kwargs)

    monkeypatch.setattr(os, "listxattr", denied)
    with pytest.raises(PermissionError):
        swept(root)
    assert len(stored(root)) == 1


def test_two_clients_cannot_make_one_stream_by_two_names_of_its_file(
    root: vfs.Root, share: Path
) -> None:
    (share / "a").touch()
    os.link(share / "a", share / "b")
    for number in range(40):
        answers: list[int] = []
        together = threading.Barrier(2)

        def create(path: str, stream: str, *, answers=answers, together=together) -> None:
            with root.open(path, read=False, write=False) as file:
                together.wait()
                try:
                    vfs.create_stream(file, stream, vfs.Unheard())
                except NtError as error:
                    answers.append(error.status)
                else:
                    answers.append(NtStatus.SUCCESS)

        names = (("a", f"s{number}"), ("b", f"S{number}"))
        threads = [threading.Thread(target=create, args=one) for one in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(answers) == [NtStatus.SUCCESS, NtStatus.OBJECT_NAME_COLLISION]
