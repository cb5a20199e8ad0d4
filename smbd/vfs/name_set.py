"""The names of one directory, found as SMB compares names, in little memory."""

from collections.abc import Iterator, Sequence

from aio import give_way, in_slices
from smbd.vfs.names import comparison_key, comparison_keys

# Measured with 1.2 million names of 26 characters: 55 bytes a name, where a dict from key to name
# takes 190.
_NAMES_A_BUCKET = 16
_GROWTH = 8
_FIRST_BUCKETS = 8
_STR_BYTES = 57  # of a str's object, and the list's pointer to it
_AT_ONCE = 64  # names, 0.1 ms: `comparison_keys` is cheaper for many
_PORTION = 4096  # names


class NameSet:
    """A hash table whose buckets are names joined by slashes, which no name contains."""

    __slots__ = ("_buckets", "_characters", "_count")

    def __init__(self) -> None:
        self._buckets = [""] * _FIRST_BUCKETS
        self._count = 0
        self._characters = 0

    def __len__(self) -> int:
        return self._count

    @property
    def size(self) -> int:
        """Bytes of memory, about."""
        return self._characters + len(self._buckets) * _STR_BYTES

    @classmethod
    def of_few(cls, names: Sequence[str]) -> "NameSet":
        """A set of so few names that it takes no slices: 0.3 us each."""
        few = cls()
        while len(names) > len(few._buckets) * _NAMES_A_BUCKET:
            few._buckets = [""] * (len(few._buckets) * _GROWTH)
        few._put_new(names)
        return few

    def extend(self, names: Sequence[str]) -> None:
        """Add names, none of which is there yet; long work."""
        in_slices(self._put_new, names, _AT_ONCE)
        self.make_room()

    def add(self, name: str) -> None:
        """Add one name, which may be there."""
        if name not in self._buckets[self._bucket(comparison_key(name))].split("/"):
            self.put(name)

    def put(self, name: str) -> None:
        """Add one name, which is not there."""
        bucket = self._bucket(comparison_key(name))
        there = self._buckets[bucket]
        self._buckets[bucket] = f"{there}/{name}" if there else name
        self._count += 1
        self._characters += len(name) + 1

    @property
    def has_room(self) -> bool:
        """Whether `make_room` has nothing to do."""
        return self._count <= len(self._buckets) * _NAMES_A_BUCKET

    def make_room(self) -> None:
        """Have more buckets, if there are too few; long work, which `add` must not become."""
        if self.has_room:
            return
        grown = NameSet()
        grown._buckets = [""] * (len(self._buckets) * _GROWTH)
        for names in self.portions():
            in_slices(grown._put, names, _AT_ONCE)
        self._buckets = grown._buckets

    def remove(self, name: str) -> None:
        """Take one name out, if it is there."""
        bucket = self._bucket(comparison_key(name))
        names = self._buckets[bucket].split("/")
        if name in names:
            names.remove(name)
            self._buckets[bucket] = "/".join(names)
            self._count -= 1
            self._characters -= len(name) + 1

    def equal(self, name: str) -> list[str]:
        """The names that SMB takes for `name`."""
        key = comparison_key(name)
        bucket = self._buckets[self._bucket(key)]
        if not bucket:
            return []
        names = bucket.split("/")
        return [one for one, its in zip(names, comparison_keys(names), strict=True) if its == key]

    def portions(self) -> Iterator[list[str]]:
        """All names, some at a time; between two of them other threads may run."""
        step = _PORTION // _NAMES_A_BUCKET
        for start in range(0, len(self._buckets), step):
            some = [bucket for bucket in self._buckets[start : start + step] if bucket]
            if some:
                yield "/".join(some).split("/")
            give_way()

    def _bucket(self, key: str) -> int:
        return hash(key) & len(self._buckets) - 1

    def _put_new(self, names: Sequence[str]) -> None:
        self._put(names)
        self._count += len(names)
        self._characters += sum(map(len, names)) + len(names)

    def _put(self, names: Sequence[str]) -> None:
        buckets = self._buckets
        mask = len(buckets) - 1
        for name, key in zip(names, comparison_keys(list(names)), strict=True):
            bucket = hash(key) & mask
            there = buckets[bucket]
            buckets[bucket] = f"{there}/{name}" if there else name
