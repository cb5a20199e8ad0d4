"""The cost of a stretch of a run to this process."""

from resource import RUSAGE_SELF, getrusage
from typing import NamedTuple, Self


class Usage(NamedTuple):
    """Of this process, with all its threads: exact, where /proc counts in hundredths of seconds."""

    cpu: float = 0.0  # seconds
    switches: int = 0  # how often a thread gave up the CPU to wait

    @classmethod
    def now(cls) -> Self:
        """Since the process began."""
        usage = getrusage(RUSAGE_SELF)
        return cls(usage.ru_utime + usage.ru_stime, usage.ru_nvcsw)

    def plus_since(self, before: "Usage") -> "Usage":
        """This, and the usage since an earlier reading."""
        now = Usage.now()
        return Usage(
            self.cpu + now.cpu - before.cpu, self.switches + now.switches - before.switches
        )
