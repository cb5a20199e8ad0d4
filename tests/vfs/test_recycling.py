"""A recycle folder loses nothing, whatever is deleted, replaced and emptied, and by how many."""

import contextlib
import random
import threading
from collections import Counter
from pathlib import Path

from smbd import vfs
from smbd.ntstatus import NtError
from smbd.vfs import Recycle, Rules

STEPS = 400
NAMES = ["a", "A.txt", "b", "ä", ".c"]
FOLDERS = ["", "d", "D/e", "d/e/f"]


def opened(folder: Path) -> vfs.Root:
    return vfs.Root(folder, rules=Rules(recycle=Recycle(".recycle")))


def contents(folder: Path) -> Counter[bytes]:
    """What lies there, each file once, by whatever names."""
    inodes = {one.stat().st_ino: one.read_bytes() for one in folder.rglob("*") if one.is_file()}
    return Counter(inodes.values())


def test_no_content_is_lost_but_by_a_deletion_in_the_recycle_folder(tmp_path: Path) -> None:
    chosen = random.Random(13)
    (tmp_path / "d/e/f").mkdir(parents=True)
    alive: Counter[bytes] = Counter()
    with opened(tmp_path) as root:
        for step in range(STEPS):
            path = "/".join(filter(None, (chosen.choice(FOLDERS), chosen.choice(NAMES))))
            act = chosen.choice(["make", "make", "delete", "replace", "link", "empty"])
            with contextlib.suppress(NtError):
                if act == "make":
                    with root.create(path, directory=False) as file:
                        name = Path(tmp_path, file.path)
                    name.write_bytes(b"%d" % step)
                    alive[b"%d" % step] += 1
                elif act == "delete":
                    with root.open(path, read=False, write=False) as file:
                        root.delete(file)
                elif act == "empty":
                    alive -= empty_one(root, tmp_path, chosen)
                else:
                    replace(root, path, chosen, act)
            assert contents(tmp_path) == alive, (step, act, path)
    assert any((tmp_path / ".recycle").rglob("* (1)*"))


def replace(root: vfs.Root, path: str, chosen: random.Random, act: str) -> None:
    target = "/".join(filter(None, (chosen.choice(FOLDERS), chosen.choice(NAMES))))
    give = root.rename if act == "replace" else root.link
    with root.open(path, read=False, write=False) as file, contextlib.ExitStack() as stack:
        there = None
        with contextlib.suppress(NtError):
            there = stack.enter_context(root.open(target, read=False, write=False))
        foreign = there if there is not None and there.identity != file.identity else None
        with root.keeping(foreign):
            give(file, target, replace=True, over=None if there is None else there.identity)


def empty_one(root: vfs.Root, folder: Path, chosen: random.Random) -> Counter[bytes]:
    """Delete one file in the recycle folder: what is gone with its last name."""
    recycled = folder / ".recycle"
    kept = sorted(one for one in recycled.rglob("*") if one.is_file())
    if not kept:
        return Counter()
    one = chosen.choice(kept)
    gone = Counter([one.read_bytes()] if one.stat().st_nlink == 1 else [])
    with root.open(str(one.relative_to(folder)), read=False, write=False) as file:
        assert root.delete(file) is None
    return gone


def test_many_that_delete_while_another_empties_it_meet_no_error(tmp_path: Path) -> None:
    stopped = threading.Event()
    failures: list[BaseException] = []
    count = 4

    def delete(number: int) -> None:
        try:
            for step in range(60):
                (tmp_path / f"d{number}").mkdir(exist_ok=True)
                with root.create(f"d{number}/x", directory=False) as file:
                    (tmp_path / file.path).write_bytes(b"%d" % step)
                    while True:  # where it is emptied faster than anything is made, it stays
                        with contextlib.suppress(FileNotFoundError):
                            root.delete(file)
                            break
        except BaseException as error:  # noqa: BLE001 -- the test's own thread raises it
            failures.append(error)

    def empty() -> None:
        while not stopped.is_set():
            for number in range(count):
                with contextlib.suppress(NtError, OSError):
                    with root.open(f".recycle/d{number}", read=False, write=False) as file:
                        root.delete(file)
            with contextlib.suppress(NtError, OSError):
                with root.open(".recycle", read=False, write=False) as file:
                    root.delete(file)

    with opened(tmp_path) as root:
        threads = [threading.Thread(target=delete, args=(number,)) for number in range(count)]
        emptying = threading.Thread(target=empty)
        for thread in (*threads, emptying):
            thread.start()
        for thread in threads:
            thread.join()
        stopped.set()
        emptying.join()
        assert failures == []
        kept = Counter(one.read_bytes() for one in (tmp_path / ".recycle").rglob("*x*"))
    assert kept == Counter({b"%d" % step: count for step in range(60)})
