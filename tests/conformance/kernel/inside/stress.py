"""A load after fsstress: random operations on names by many processes, on two clients at once.

Each process has names of its own in directories that all share, and knows what must be there. Some
of its files stay under their names, and all others read these; the rest come and go. In one more
directory everybody does anything: what must hold there is that both clients find at the end what
the server has.  `contest` is that alone, on fewer names.
"""

import errno
import os
import random
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from .arriving import Arriving
from .harness import fresh, listed

_DIRECTORIES = 4
_NAMES = 24
_STABLE = 4
_CONTESTED = 12
_FEW = 3
_BLOCK = 16 << 10
_AT_ONCE = 50  # operations between two looks at the clock, which all have in common
# What another's operation at the same moment may make of one on a contested name.
_CONTEST = {
    errno.ENOENT, errno.EEXIST, errno.ENOTEMPTY, errno.EISDIR, errno.ENOTDIR, errno.EACCES,
    errno.EPERM, errno.EBUSY, errno.ESTALE, errno.EINVAL, errno.ELOOP, errno.EXDEV,
}  # fmt: skip


class Stress:
    """One process's names, {path: content}; hard links share a content."""

    def __init__(self, folder: Path, name: str, others: list[str], contested: int) -> None:
        self._folder, self._name, self._contested = folder, name, contested
        self._others = [other for other in others if other != name]
        self._random = random.Random(str(folder) + name)
        self._files: dict[Path, bytearray] = {}
        self._inner: set[Path] = set()  # directories of its own
        self.operations = 0
        self.longest = (0.0, "")
        self.contests: dict[str, int] = {}
        for number in range(_DIRECTORIES):
            self._directory(number).mkdir(exist_ok=True)
        (folder / "contested").mkdir(exist_ok=True)
        for number in range(_STABLE):
            self._create(self._stable(name, number))

    def some(self, acts: "list[Callable[[Stress], None]]") -> None:
        """Do a few operations."""
        for _ in range(_AT_ONCE):
            act = self._random.choice(acts)
            began = time.monotonic()
            try:
                act(self)
            except (OSError, AssertionError) as error:
                raise AssertionError(f"{self._name}: {act.__name__}: {error}") from error
            self.operations += 1
            self.longest = max(self.longest, (time.monotonic() - began, act.__name__))

    def verify(self) -> None:
        """Demand that everything of its own is there, and nothing more."""
        for number in range(_DIRECTORIES):
            self._list(self._directory(number))
        for path in self._files:
            self._check(path)

    def _directory(self, number: int) -> Path:
        return self._folder / f"d{number}"

    def _stable(self, name: str, number: int) -> Path:
        return self._directory(number % _DIRECTORIES) / f"{name}-stable{number}"

    def _new(self) -> Path:
        folders = [self._directory(number) for number in range(_DIRECTORIES)]
        folder = self._random.choice([*folders, *sorted(self._inner)])
        return folder / f"{self._name}-{self._random.randrange(_NAMES)}"

    def _any(self) -> Path:
        return self._random.choice(list(self._files))

    def _passing(self) -> Path | None:
        """Return a name that may go: nobody else opens it."""
        return self._random.choice([p for p in self._files if "stable" not in p.name] or [None])

    def _data(self) -> bytes:
        return self._random.randbytes(self._random.randint(0, _BLOCK))

    def _create(self, path: Path) -> None:
        data = self._data()
        path.write_bytes(data)
        if path in self._files:
            self._files[path][:] = data
        else:
            self._files[path] = bytearray(data)

    def _check(self, path: Path) -> None:
        want = bytes(self._files[path])
        got = path.read_bytes()
        assert got == want, f"{path}: {len(got)} bytes are not the {len(want)} written"

    def _list(self, folder: Path) -> None:
        found = {name for name in listed(folder) if name.startswith(f"{self._name}-")}
        own = {path.name for path in [*self._files, *self._inner] if path.parent == folder}
        assert found == own, f"{folder}: missing {own - found}, more {found - own}"

    # On names of its own, that must succeed.

    def create(self) -> None:
        self._create(self._new())

    def overwrite(self) -> None:
        self._create(self._any())

    def append(self) -> None:
        path, data = self._any(), self._data()
        with path.open("ab") as file:
            file.write(data)
        self._files[path] += data
        if len(self._files[path]) > 8 * _BLOCK:
            os.truncate(path, _BLOCK)
            del self._files[path][_BLOCK:]

    def write_inside(self) -> None:
        path, data = self._any(), self._data()
        content = self._files[path]
        at = self._random.randint(0, len(content))
        with path.open("r+b", buffering=0) as file:
            os.pwrite(file.fileno(), data, at)
        content[at : at + len(data)] = data

    def truncate(self) -> None:
        path = self._any()
        size = self._random.randint(0, 2 * _BLOCK)
        os.truncate(path, size)
        content = self._files[path]
        content.extend(bytes(max(size - len(content), 0)))
        del content[size:]

    def read(self) -> None:
        self._check(self._any())

    def size(self) -> None:
        path = self._any()
        size = path.stat().st_size
        assert size == len(self._files[path]), f"{path}: size {size}"

    def unlink(self) -> None:
        if path := self._passing():
            path.unlink()
            del self._files[path]
            assert not path.exists(), f"{path} is there after unlink"

    def rename(self) -> None:
        source, target = self._passing(), self._new()
        if not source or source == target:
            return
        if self._files.get(target) is self._files[source]:
            return  # two links of one file: rename(2) does nothing, SMB replaces
        source.rename(target)
        self._files[target] = self._files.pop(source)

    def link(self) -> None:
        source, target = self._passing(), self._new()
        if source and target not in self._files:
            target.hardlink_to(source)
            self._files[target] = self._files[source]

    def make_directory(self) -> None:
        folder = self._directory(self._random.randrange(_DIRECTORIES))
        path = folder / f"{self._name}-inner{self._random.randrange(4)}"
        if path not in self._inner:
            path.mkdir()
            self._inner.add(path)

    def remove_directory(self) -> None:
        if not self._inner:
            return
        path = self._random.choice(sorted(self._inner))
        shutil.rmtree(path)
        self._inner.discard(path)
        self._files = {p: content for p, content in self._files.items() if p.parent != path}

    def rename_directory(self) -> None:
        if not self._inner:
            return
        source = self._random.choice(sorted(self._inner))
        folder = self._directory(self._random.randrange(_DIRECTORIES))
        target = folder / f"{self._name}-inner{self._random.randrange(4)}"
        if target in self._inner:
            return
        try:
            source.rename(target)
        except PermissionError:
            return  # a file below it is open still: closes are deferred
        self._inner.discard(source)
        self._inner.add(target)
        self._files = {
            (target / p.name if p.parent == source else p): content
            for p, content in self._files.items()
        }

    def list(self) -> None:
        folders = [self._directory(number) for number in range(_DIRECTORIES)]
        self._list(self._random.choice([*folders, *sorted(self._inner)]))

    # On another's files, and on everybody's.

    def read_other(self) -> None:
        other = self._random.choice(self._others)
        with suppress(FileNotFoundError):  # it has not begun yet
            self._stable(other, self._random.randrange(_STABLE)).read_bytes()

    def contest(self) -> None:
        first, second = (
            self._folder / "contested" / f"c{self._random.randrange(self._contested)}" for _ in "12"
        )
        acts: list[Callable[[], object]] = [
            lambda: first.write_bytes(self._data()),
            lambda: first.touch(exist_ok=False),
            first.read_bytes,
            first.unlink,
            first.mkdir,
            first.rmdir,
            lambda: first.rename(second),
            lambda: second.hardlink_to(first),
            lambda: os.truncate(first, 100),
            lambda: listed(first.parent),
        ]
        try:
            self._random.choice(acts)()
        except OSError as error:
            if error.errno not in _CONTEST:
                raise
            word = errno.errorcode[error.errno]
            self.contests[word] = self.contests.get(word, 0) + 1


_ACTS: list[Callable[[Stress], None]] = [
    Stress.create, Stress.create, Stress.overwrite, Stress.append, Stress.append,
    Stress.write_inside, Stress.write_inside, Stress.truncate, Stress.read, Stress.read,
    Stress.size, Stress.unlink, Stress.rename, Stress.rename, Stress.link, Stress.make_directory,
    Stress.remove_directory, Stress.rename_directory, Stress.list, Stress.read_other,
    Stress.read_other, Stress.contest, Stress.contest, Stress.contest,
]  # fmt: skip


def play(folder: Path, name: str, others: list[str], *, contest: bool = False) -> str:
    """Work until the meeting is over; return what was done, and what the contests met."""
    acts, names = ([Stress.contest], _FEW) if contest else (_ACTS, _CONTESTED)
    stress = Stress(folder, name, others, names)
    with Arriving("stress") as meeting:
        while meeting.go_on():
            stress.some(acts)
        os.sync()
        meeting.go_on()
        fresh()
        stress.verify()
        meeting.go_on()
    seconds, act = stress.longest
    met = " ".join(f"{word} {times}" for word, times in sorted(stress.contests.items()))
    return f"{stress.operations} operations, the longest {act}, {seconds:.2f} s; {met}"
