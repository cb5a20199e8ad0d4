"""What mutants are given to."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from smbd.ntstatus import NtError


@dataclass(frozen=True, slots=True)
class Target:
    """`take` is given each mutant of the seeds; only what is `allowed` may it raise."""

    name: str
    seeds: Sequence[bytes]
    take: Callable[[bytes], object]
    allowed: tuple[type[Exception], ...] = (NtError,)
    share: float = 1.0  # of the inputs that a cheap parser gets
