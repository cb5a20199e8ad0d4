"""Case-insensitive and case-preserving names over a case-sensitive file system, and fast."""

import os
import random
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from smbd import vfs
from smbd.ntstatus import NtError, NtStatus
from smbd.vfs import index as index_module
from smbd.vfs.index import Index
from smbd.vfs.name_set import NameSet
from smbd.vfs.names import comparison_key as _key
from tests.vfs.conftest import names_in, read, refused, stat_of


@pytest.fixture
def scans(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One element for each time that a folder was read for its names."""
    seen: list[int] = []
    original = index_module._read

    def counted(fd: int) -> NameSet:
        names = original(fd)
        seen.append(len(names))
        return names

    monkeypatch.setattr(index_module, "_read", counted)
    return seen


def test_any_spelling_finds_what_is_there_and_keeps_its_own(root: vfs.Root, share: Path) -> None:
    (share / "Some Dir" / "Näher").mkdir(parents=True)
    (share / "Some Dir" / "Näher" / "File.TXT").write_text("found")
    with root.open("SOME DIR/NÄHER/file.txt", read=True, write=False) as file:
        assert file.path == "Some Dir/Näher/File.TXT"
        assert file.name == "File.TXT"
    with root.open("some dir/näher", read=False, write=False) as folder:
        assert folder.path == "Some Dir/Näher"
        assert folder.is_directory
    with root.create("some dir/NÄHER/New.txt", directory=False) as file:
        assert file.path == "Some Dir/Näher/New.txt"


def test_the_exact_spelling_goes_first_and_else_the_answer_is_always_the_same(
    root: vfs.Root, share: Path
) -> None:
    for name in ("readme", "README", "ReadMe"):
        (share / name).write_text(name)
    for name in ("readme", "README", "ReadMe"):
        assert read(root, name) == name.encode()
    assert read(root, "rEADME") == b"README"
    _by_another(share, (share / "README").unlink)
    assert read(root, "rEADME") == b"ReadMe"


def test_a_missing_parent_is_told_from_a_missing_name(root: vfs.Root, share: Path) -> None:
    (share / "dir").mkdir()
    (share / "file").touch()
    for path in ("missing", "dir/missing", "DIR/missing"):
        with refused(NtStatus.OBJECT_NAME_NOT_FOUND):
            stat_of(root, path)
    for path in ("missing/x", "dir/missing/x", "file/x", "FILE/x", "dir/a/b/c/d", "FILE/x/y"):
        with refused(NtStatus.OBJECT_PATH_NOT_FOUND):
            stat_of(root, path)
        with refused(NtStatus.OBJECT_PATH_NOT_FOUND):
            root.create(path, directory=True)


def test_a_path_of_two_thousand_components_is_an_answer_not_a_crash(root: vfs.Root) -> None:
    with refused(NtStatus.OBJECT_PATH_NOT_FOUND):
        stat_of(root, "/".join(["a"] * 2000))
    with (
        refused(NtStatus.OBJECT_NAME_INVALID)
        if root.uses_openat2
        else refused(NtStatus.OBJECT_PATH_NOT_FOUND)
    ):
        stat_of(root, "/".join(["abcdefgh"] * 2000))


def test_another_spelling_is_a_collision(root: vfs.Root, share: Path) -> None:
    (share / "Taken").touch()
    for directory in (True, False):
        with refused(NtStatus.OBJECT_NAME_COLLISION):
            root.create("tAKEN", directory=directory)
        with refused(NtStatus.OBJECT_NAME_COLLISION):
            root.create("", directory=directory)


def test_private_range_names_are_found_mapped_and_literal(root: vfs.Root, share: Path) -> None:
    (share / "Mapped:1").write_text("mapped")
    (share / "Literal\uf0222").write_text("literal, as Samba leaves it")
    (share / "both:").write_text("mapped first")
    (share / "both\uf022").write_text("literal")
    assert read(root, vfs.name_to_path("mapped\uf0221")) == b"mapped"
    assert read(root, vfs.name_to_path("literal\uf0222")).startswith(b"literal")
    assert read(root, vfs.name_to_path("both\uf022")) == b"mapped first"
    with root.create(vfs.name_to_path("new\uf021"), directory=False) as file:
        assert file.name == "new\uf021"
    assert (share / "new*").exists()


def test_undecodable_names_are_served(root: vfs.Root, share: Path) -> None:
    raw = os.fsencode(share) + b"/gr\xfcn.TXT"
    Path(os.fsdecode(raw)).write_text("latin-1")
    with root.open("", read=True, write=False) as top:
        (on_disk,) = names_in(top)
    name = vfs.to_wire(on_disk)
    name.encode("utf-16-le")  # strictly
    assert read(root, vfs.name_to_path(name)) == b"latin-1"
    assert read(root, vfs.name_to_path(name.lower())) == b"latin-1"


def test_a_byte_and_the_character_that_says_it_are_found_by_each_others_name(
    root: vfs.Root, share: Path
) -> None:
    byte, character = os.fsdecode(b"\xa4"), "\uf0a4"
    (share / f"old {character}").write_text("character")
    assert read(root, vfs.name_to_path("OLD \uf0a4")) == b"character"
    (share / f"old {byte}").write_text("byte")
    assert read(root, vfs.name_to_path("old \uf0a4")) == b"byte"
    assert read(root, vfs.name_to_path("old \uf0ef\uf082\uf0a4")) == b"character"
    (share / f"new {byte}").write_text("byte")
    assert read(root, vfs.name_to_path("new \uf0ef\uf082\uf0a4")) == b"byte"


class _Contended:
    """A lock that another thread gets first, and does something."""

    def __init__(self, lock: "threading._RLock", first: Callable[[], None]) -> None:
        self._lock = lock
        self._first = first

    def __enter__(self) -> None:
        thread = threading.Thread(target=self._first)
        thread.start()
        thread.join()
        self._lock.acquire()

    def __exit__(self, *_exc_info: object) -> None:
        self._lock.release()


def test_who_has_waited_for_the_names_reads_none_again_for_what_was_done_meanwhile(
    root: vfs.Root, scans: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_module, "_DOUBT_SECONDS", 1e9)
    root.create("first", directory=False).close()
    (names,) = root.lookup.index._directories.values()
    lock = names.lock

    def first() -> None:
        names.lock = lock
        root.create("second", directory=False).close()

    monkeypatch.setattr(names, "lock", _Contended(lock, first))
    root.create("third", directory=False).close()
    stat_of(root, "SECOND").close()
    assert len(scans) == 1


def test_two_thousand_new_files_read_their_folder_once(
    root: vfs.Root, share: Path, scans: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_module, "_DOUBT_SECONDS", 1e9)
    count = 2000
    for number in range(count):
        with refused(NtStatus.OBJECT_NAME_NOT_FOUND):
            stat_of(root, f"File{number}")
        root.create(f"File{number}", directory=False).close()
    for number in range(count):
        with stat_of(root, f"fILE{number}") as file:
            root.rename(file, f"Renamed{number}", replace=False)
    for number in range(count):
        with stat_of(root, f"RENAMED{number}") as file:
            root.remove(file)
    assert len(scans) == 1
    with refused(NtStatus.OBJECT_NAME_NOT_FOUND):
        stat_of(root, "file1")
    assert list(share.iterdir()) == []


def _by_another(folder: Path, change: Callable[[], object]) -> None:
    """A change by another process, certain to show in the folder's times.

    Before Linux 6.13 two changes within one tick of the kernel's clock show the same time.
    """
    before = folder.stat().st_mtime_ns
    change()
    os.utime(folder, ns=(before + 1, before + 1))


def test_what_others_do_in_the_folder_is_seen(root: vfs.Root, share: Path) -> None:
    with refused(NtStatus.OBJECT_NAME_NOT_FOUND):
        stat_of(root, "new")
    _by_another(share, (share / "NEW").touch)
    stat_of(root, "new").close()
    _by_another(share, lambda: (share / "NEW").rename(share / "Newer"))
    with refused(NtStatus.OBJECT_NAME_NOT_FOUND):
        stat_of(root, "new")
    stat_of(root, "newer").close()
    _by_another(share, (share / "Newer").unlink)
    with refused(NtStatus.OBJECT_NAME_NOT_FOUND):
        stat_of(root, "newer")


def test_a_change_that_the_folders_times_hide_is_seen_when_the_doubt_is_over(
    root: vfs.Root, share: Path, monkeypatch: pytest.MonkeyPatch, scans: list[int]
) -> None:
    """Another process creates between our own create and our look at the times after it."""
    now = [1000.0]
    monkeypatch.setattr(index_module.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(index_module, "_version", lambda _fd: (1, 1))
    with refused(NtStatus.OBJECT_NAME_NOT_FOUND):
        stat_of(root, "hidden")
    root.create("ours", directory=False).close()
    (share / "HIDDEN").touch()
    with refused(NtStatus.OBJECT_NAME_NOT_FOUND):
        stat_of(root, "hidden")
    now[0] += 1.5
    stat_of(root, "hidden").close()
    assert len(scans) == 2


def test_what_another_share_of_the_same_folder_makes_is_known_at_once(
    root: vfs.Root, share: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both change it within one tick of the clock that its times are taken from."""
    (share / "dir").mkdir()
    monkeypatch.setattr(index_module, "_version", lambda _fd: (1, 1))
    with vfs.Root(share / "dir") as inner:
        inner.create("one", directory=False).close()
        root.create("dir/Two", directory=False).close()
        with refused(NtStatus.OBJECT_NAME_COLLISION):
            inner.create("tWO", directory=False)
        stat_of(inner, "two").close()
    assert sorted(one.name for one in (share / "dir").iterdir()) == ["Two", "one"]


def test_two_clients_cannot_create_two_spellings(root: vfs.Root, share: Path) -> None:
    spellings = ["name", "NAME", "Name", "nAME"]
    for number in range(40):
        assert sorted(_create_together(root, [f"{one}{number}" for one in spellings])) == [
            NtStatus.SUCCESS,
            *[NtStatus.OBJECT_NAME_COLLISION] * 3,
        ]
    assert len(list(share.iterdir())) == 40


def _create_together(root: vfs.Root, paths: list[str]) -> list[int]:
    together = threading.Barrier(len(paths))
    answers: list[int] = []

    def create(path: str) -> None:
        together.wait()
        try:
            root.create(path, directory=False).close()
        except NtError as error:
            answers.append(error.status)
        else:
            answers.append(NtStatus.SUCCESS)

    threads = [threading.Thread(target=create, args=(path,)) for path in paths]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_renames_between_two_folders_both_ways_do_not_wait_for_each_other(
    root: vfs.Root, share: Path
) -> None:
    (share / "one").mkdir()
    (share / "two").mkdir()

    def there_and_back(start: str, end: str) -> None:
        with root.create(f"{start}/from-{start}", directory=False) as file:
            for _ in range(150):
                root.rename(file, f"{end}/from-{start}", replace=False)
                root.rename(file, f"{start}/from-{start}", replace=False)

    threads = [
        threading.Thread(target=there_and_back, args=folders)
        for folders in (("one", "two"), ("two", "one"))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()


def _folder_of(tmp_path: Path, number: int, *, names: int) -> int:
    """The descriptor of a new folder with names of seven characters or so."""
    folder = tmp_path / str(number)
    folder.mkdir()
    for name in range(names):
        (folder / f"Name{name}").touch()
    return os.open(folder, os.O_PATH)


def test_the_memory_of_the_indexes_is_bounded(tmp_path: Path) -> None:
    index = Index(maximum_bytes=5_000).join()
    for number in range(30):
        fd = _folder_of(tmp_path, number, names=20)
        with index.of(fd) as indexed:
            assert indexed.find("NAME7") == "Name7"
        os.close(fd)
    assert sum(folder.size for folder in index._directories.values()) <= 5_000
    assert 2 <= len(index._directories) < 10


def test_a_folder_beyond_the_bound_is_read_once_for_many_new_names(
    tmp_path: Path, scans: list[int]
) -> None:
    """Else each CREATE in a folder of millions would read all of it."""
    index = Index(maximum_bytes=5_000).join()
    fds = [_folder_of(tmp_path, number, names=1000) for number in range(2)]
    for number in range(100):
        with index.of(fds[0]) as indexed:
            assert indexed.find(f"new{number}") is None
            indexed.added(f"new{number}")
    assert scans == [1000]
    with index.of(fds[1]) as indexed:
        assert indexed.find("NAME999") == "Name999"
    assert len(index._directories) == 1  # nor does a second such folder stay beside it
    for fd in fds:
        os.close(fd)


def test_a_set_of_names_holds_what_was_put_in_and_nothing_else() -> None:
    choose = random.Random(5)
    names, model = NameSet(), set[str]()
    for _ in range(3000):
        name = choose.choice("aAbBäÄ") + str(choose.randrange(200))
        if choose.random() < 0.6:
            names.add(name)
            model.add(name)
        else:
            names.remove(name)
            model.discard(name)
        assert len(names) == len(model)
        assert set(names.equal(name)) == {one for one in model if _key(one) == _key(name)}
    assert {name for portion in names.portions() for name in portion} == model
    names.extend([f"more {number}" for number in range(10_000)])
    assert names.equal("MORE 9999") == ["more 9999"]
    assert names.size < 10_300 * 70


def test_a_thousand_changes_by_us_and_others_leave_the_index_true(
    root: vfs.Root, share: Path
) -> None:
    """The model is the folder itself: a name is found when any entry folds to it."""
    choose = random.Random(3)
    spellings = ["a", "A", "b:", "b\uf022", "B\uf022", "ç", "Ç", "d", "D"]
    for _ in range(1000):
        name, other = choose.choices(spellings, k=2)
        there = {_key(path.name): path.name for path in share.iterdir()}
        key = _key(name)
        match choose.randrange(5):
            case 0 if key not in there:
                root.create(name, directory=False).close()
            case 0:
                with refused(NtStatus.OBJECT_NAME_COLLISION):
                    root.create(name, directory=False)
            case 1 if key in there:
                with stat_of(root, name) as file:
                    root.remove(file)
            case 2 if key in there:
                with stat_of(root, name) as file:
                    root.rename(file, other, replace=True)
                    assert file.path == other
                assert (share / other).exists()
            case 3:
                _by_another(share, (share / name).touch)
            case 4 if key in there:
                _by_another(share, (share / there[key]).unlink)
        found = {_key(path.name) for path in share.iterdir()}
        for one in spellings:
            if _key(one) in found:
                stat_of(root, one).close()
            else:
                with refused(NtStatus.OBJECT_NAME_NOT_FOUND):
                    stat_of(root, one)


def test_a_long_path_that_is_not_there_is_looked_for_a_few_times_only(
    root: vfs.Root, share: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (share / "a" / "B" / "c").mkdir(parents=True)
    (share / "a" / "B" / "file").touch()
    looked: list[str] = []
    original = root.lookup._finder

    def finder(fd: int, path: str) -> tuple[int, bool]:
        looked.append(path)
        return original(fd, path)

    monkeypatch.setattr(root.lookup, "_finder", finder)
    refused_as = {
        "a/b/c/" + "/".join("x" * 1000): NtStatus.OBJECT_PATH_NOT_FOUND,
        "/".join("a" * 2000): NtStatus.OBJECT_PATH_NOT_FOUND,
        "a/B/file/" + "/".join("x" * 1000): NtStatus.OBJECT_PATH_NOT_FOUND,
        "A/b/C/new": NtStatus.OBJECT_NAME_NOT_FOUND,
    }
    descriptors = len(list(Path("/proc/self/fd").iterdir()))
    for path, status in refused_as.items():
        looked.clear()
        with pytest.raises(NtError) as caught:
            root.open(path, read=False, write=False)
        assert caught.value.status == status
        assert len(looked) < 30
    assert len(list(Path("/proc/self/fd").iterdir())) == descriptors


def test_a_set_of_few_names_has_room_for_them() -> None:
    names = [f"Name {number}" for number in range(1000)]
    few = NameSet.of_few(names)
    assert few.has_room
    assert len(few) == 1000
    assert few.equal("NAME 999") == ["Name 999"]
