"""A load after fsx: two clients take turns on the same files, and each knows what must be in them.

Both draw the same operations from the same seed and apply each to a model in memory; the one whose
turn it is also carries it out on the share, by files that it has kept open or opens anew. What it
reads is what the model has: written by itself, or by the other in an earlier turn, whose caches
the server had to break.
"""

import ctypes
import hashlib
import mmap
import os
import random
import time
from collections.abc import Callable
from pathlib import Path

from .arriving import Arriving
from .harness import SkipError, fresh, optional, system_call

_FILES = 3
_LARGEST = 256 << 10
_TO_ACT = 0.02  # seconds, for a work queue of the kernel
_FALLOC_KEEP_SIZE, _FALLOC_PUNCH_HOLE, _FALLOC_ZERO_RANGE = 1, 2, 16


class Fsx:
    """One client's view of the files, with the model of what must be in them.

    `loose`: its client believes its own cache, whatever the server says ("cache=loose"). So it
    gives everything back at the end of its turn, and forgets everything before the next.
    """

    def __init__(self, folder: Path, seed: str, me: int, loose: bool) -> None:
        self._paths = [folder / f"{seed}-{number}" for number in range(_FILES)]
        self._model = [bytearray() for _ in range(_FILES)]
        self._random = random.Random(seed)
        self._me, self._loose = me, loose
        self._fds: dict[int, int] = {}
        self._held: list[set[int]] = [set(), set()]  # who has which file open, in the model
        self._history: list[str] = []
        self.operations = 0
        self.longest = (0.0, "")

    def turn(self) -> None:
        """Draw a turn; carry it out if it is this client's."""
        draw = self._random
        mine = draw.randrange(2) == self._me
        who = self._me if mine else 1 - self._me
        if mine:
            self._hear()
        for _ in range(draw.randint(1, 12)):
            name = draw.choice(_OPERATIONS)
            number = draw.randrange(_FILES)
            self._step(name, number, who, mine)
        if self._loose and mine:
            for number in list(self._fds):
                self._close(number)
            os.sync()

    def _hear(self) -> None:
        """Give what the server sent before now the time to be acted upon.

        A break of read caching is told, and not waited for: it may reach this client after the
        other has its answer. It is ahead of the answer to what is asked now, on one connection.
        """
        os.statvfs(self._paths[0].parent)
        time.sleep(_TO_ACT)
        if self._loose:
            fresh()

    def _step(self, name: str, number: int, who: int, mine: bool) -> None:
        draw, model = self._random, self._model[number]
        at = draw.randrange(_LARGEST // 2)
        data = draw.randbytes(draw.choice((1, 100, 4096, 5000, 65536)))
        if name in _CLOSES and any(number in held for held in self._held):
            name = "write"  # a name whose file is open somewhere goes only when that closes
        if name == "truncate" and number in self._held[1 - who]:
            name = "write"  # a client takes no smaller size for a file that it has open to write
        if name in {"copy", "map_write", "punch", "zero"} and not model:
            name = "append"
        act, effect = _ACTS[name]
        if mine:
            where = f"{who} {name} {self._paths[number].name} at {at} of {len(model)}, {len(data)}"
            self._history.append(where)
            began = time.monotonic()
            try:
                act(self, number, at, data)
            except SkipError:
                raise RuntimeError(f"{name} is not supported") from None
            except (OSError, AssertionError, ValueError) as error:
                last = " <- ".join(reversed(self._history[-8:]))
                raise AssertionError(f"{type(error).__name__}: {error}: {last}") from error
            self.operations += 1
            self.longest = max(self.longest, (time.monotonic() - began, name))
        else:
            self._history.append(f"{who} {name} {self._paths[number].name} at {at}, {len(data)}")
        effect(self, number, at, data)
        self._held[who].discard(number)
        if name not in _CLOSES and draw.random() < 0.5:
            self._held[who].add(number)
        elif mine:
            self._close(number)

    def fd(self, number: int) -> int:
        """Return the descriptor that is kept, or a new one."""
        if number not in self._fds:
            self._fds[number] = os.open(self._paths[number], os.O_RDWR | os.O_CREAT, 0o644)
        return self._fds[number]

    def _close(self, number: int) -> None:
        if number in self._fds:
            os.close(self._fds.pop(number))

    def close(self) -> None:
        """Close all files."""
        for number in list(self._fds):
            self._close(number)

    def verify(self) -> None:
        """Demand that every file has what the model has."""
        for number in range(_FILES):
            self.read_all(number, 0, b"")
            self._close(number)

    def found(self) -> list[tuple[str, int, str]]:
        """Return (name, size, MD5) of each file, as the model has it."""
        return [
            (path.name, len(model), hashlib.md5(model).hexdigest())
            for path, model in zip(self._paths, self._model, strict=True)
        ]

    # What is done on the share; `effects` below are the same in the model.

    def write(self, number: int, at: int, data: bytes) -> None:
        assert os.pwrite(self.fd(number), data, at) == len(data), "a short write"

    def append(self, number: int, _: int, data: bytes) -> None:
        self.write(number, min(len(self._model[number]), _LARGEST), data)

    def read(self, number: int, at: int, data: bytes) -> None:
        _compare(os.pread(self.fd(number), len(data), at), self._model[number], at, len(data))

    def read_all(self, number: int, _: int, _data: bytes) -> None:
        """Open anew, so that the size is the server's."""
        self._close(number)
        size = os.fstat(self.fd(number)).st_size
        assert size == len(self._model[number]), f"size {size}, want {len(self._model[number])}"
        got = os.pread(self.fd(number), size + 1, 0)
        _compare(got, self._model[number], 0, size + 1)

    def truncate(self, number: int, at: int, data: bytes) -> None:
        if len(data) % 2:
            os.ftruncate(self.fd(number), at)
        else:
            self.fd(number)  # makes it
            os.truncate(self._paths[number], at)

    def sync(self, number: int, _: int, _data: bytes) -> None:
        os.fsync(self.fd(number))

    def map_read(self, number: int, at: int, data: bytes) -> None:
        """Open anew first: a mapping ends at the size that the client knows."""
        self._close(number)
        if self._model[number]:
            with mmap.mmap(self.fd(number), 0, prot=mmap.PROT_READ) as view:
                _compare(view[at : at + len(data)], self._model[number], at, len(data))
        else:
            self.fd(number)

    def map_write(self, number: int, at: int, data: bytes) -> None:
        self._close(number)
        at, data = self._inside(number, at, data)
        with mmap.mmap(self.fd(number), 0) as view:
            view[at : at + len(data)] = data
            view.flush()

    def _inside(self, number: int, at: int, data: bytes) -> tuple[int, bytes]:
        at %= len(self._model[number])
        return at, data[: len(self._model[number]) - at]

    def _allocate(self, number: int, at: int, data: bytes, mode: int) -> None:
        at, data = self._inside(number, at, data)
        where = ctypes.c_long(at), ctypes.c_long(len(data))
        with optional():
            system_call("fallocate", self.fd(number), mode, *where)

    def punch(self, number: int, at: int, data: bytes) -> None:
        self._allocate(number, at, data, _FALLOC_KEEP_SIZE | _FALLOC_PUNCH_HOLE)

    def zero(self, number: int, at: int, data: bytes) -> None:
        self._allocate(number, at, data, _FALLOC_KEEP_SIZE | _FALLOC_ZERO_RANGE)

    def copy(self, number: int, at: int, data: bytes) -> None:
        """Let the server copy from one file to the next.

        The client copies as far as it knows the source to go, so it has to ask for that first.
        """
        at, data = self._inside(number, at, data)
        target = (number + 1) % _FILES
        kept = target in self._fds
        os.fstat(self.fd(number))
        done = 0
        with optional():
            while done < len(data):
                count = os.copy_file_range(
                    self.fd(number), self.fd(target), len(data) - done, at + done, at + done
                )
                assert count, f"nothing was copied after {done} bytes"
                done += count
        if not kept:
            self._close(target)

    def replace(self, number: int, _: int, data: bytes) -> None:
        path = self._paths[number].with_suffix(".new")
        path.write_bytes(data)
        path.rename(self._paths[number])

    def unlink(self, number: int, _: int, _data: bytes) -> None:
        self._close(number)
        self._paths[number].unlink(missing_ok=True)

    # The same in the model.

    def _written(self, number: int, at: int, data: bytes) -> None:
        model = self._model[number]
        model.extend(bytes(max(at - len(model), 0)))
        model[at : at + len(data)] = data

    def _appended(self, number: int, _: int, data: bytes) -> None:
        self._written(number, min(len(self._model[number]), _LARGEST), data)

    def _same(self, number: int, at: int, data: bytes) -> None:
        pass

    def _truncated(self, number: int, at: int, _data: bytes) -> None:
        model = self._model[number]
        model.extend(bytes(max(at - len(model), 0)))
        del model[at:]

    def _mapped(self, number: int, at: int, data: bytes) -> None:
        self._written(number, *self._inside(number, at, data))

    def _zeroed(self, number: int, at: int, data: bytes) -> None:
        at, data = self._inside(number, at, data)
        self._written(number, at, bytes(len(data)))

    def _copied(self, number: int, at: int, data: bytes) -> None:
        at, data = self._inside(number, at, data)
        self._written((number + 1) % _FILES, at, bytes(self._model[number][at : at + len(data)]))

    def _replaced(self, number: int, _: int, data: bytes) -> None:
        self._model[number][:] = data

    def _unlinked(self, number: int, _: int, _data: bytes) -> None:
        self._model[number].clear()


def _compare(got: bytes, model: bytearray, at: int, count: int) -> None:
    want = bytes(model[at : at + count])
    if got != want:
        pairs = zip(got, want, strict=False)
        first = next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(got), len(want)))
        raise AssertionError(
            f"{len(got)} bytes, want {len(want)}; they differ from {at + first}: "
            f"{got[first : first + 8].hex()} for {want[first : first + 8].hex()}"
        )


_Act = Callable[[Fsx, int, int, bytes], None]
_ACTS: dict[str, tuple[_Act, _Act]] = {
    "write": (Fsx.write, Fsx._written),
    "append": (Fsx.append, Fsx._appended),
    "read": (Fsx.read, Fsx._same),
    "read_all": (Fsx.read_all, Fsx._same),
    "truncate": (Fsx.truncate, Fsx._truncated),
    "sync": (Fsx.sync, Fsx._same),
    "map_read": (Fsx.map_read, Fsx._same),
    "map_write": (Fsx.map_write, Fsx._mapped),
    "punch": (Fsx.punch, Fsx._zeroed),
    "zero": (Fsx.zero, Fsx._zeroed),
    "copy": (Fsx.copy, Fsx._copied),
    "replace": (Fsx.replace, Fsx._replaced),
    "unlink": (Fsx.unlink, Fsx._unlinked),
}
_CLOSES = {"replace", "unlink"}
_OFTEN = {"write": 6, "read": 6, "append": 3, "read_all": 3, "map_read": 2}
_OPERATIONS = [name for name in _ACTS for _ in range(_OFTEN.get(name, 1))]


def play(folder: Path, seed: str, me: int, loose: bool) -> tuple[str, list[tuple[str, int, str]]]:
    """Take turns until the meeting is over; return what was done, and what must be there."""
    fsx = Fsx(folder, seed, me, loose)
    with Arriving(seed) as others:
        while others.go_on():
            fsx.turn()
        fsx.close()
        os.sync()
        others.go_on()
        fresh()
        fsx.verify()
        fsx.close()
    seconds, name = fsx.longest
    return f"{fsx.operations} operations, the longest {name}, {seconds:.2f} s", fsx.found()
