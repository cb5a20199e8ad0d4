"""What a process and its descendants cost: CPU time, switches and memory, as /proc tells them."""

import os
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_SCHEDULED = 2  # CPUCLOCK_SCHED of Linux's posix-timers_types.h: exact, where stat has 10 ms


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU time in seconds, and how often each thread, by its id, gave up the CPU to wait.

    Processes that have ended count with the one that has waited for them: Samba has one for each
    connection.
    """

    cpu: float
    waits: Mapping[int, int]

    def since(self, before: "Usage") -> "Usage":
        """Return what was used after an earlier reading. Threads that have ended do not count."""
        waits = {thread: n - before.waits.get(thread, 0) for thread, n in self.waits.items()}
        return Usage(self.cpu - before.cpu, waits)


def usage(pid: int) -> Usage:
    """Return what a process and all its descendants have used until now."""
    family = _family(pid)
    cpu = sum(map(_cpu, family))
    cpu += sum(int(field) for fields in family.values() for field in fields[13:15]) / _TICKS
    waits: dict[int, int] = {}
    for member in family:
        waits |= _waits(member)
    return Usage(cpu, waits)


def _cpu(pid: int) -> float:
    """Seconds of CPU of one process's threads, ended ones too (clock_getcpuclockid)."""
    try:
        return time.clock_gettime(~pid << 3 | _SCHEDULED)
    except OSError:  # it has ended meanwhile
        return 0.0


def _family(pid: int) -> dict[int, list[str]]:
    """Return /proc/PID/stat, from the state on, of a process and its descendants."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:  # it has ended meanwhile
                continue
            found[int(entry.name)] = stat.rpartition(")")[2].split()
    family = {pid}
    while more := {p for p, fields in found.items() if int(fields[1]) in family} - family:
        family |= more
    return {member: found[member] for member in family if member in found}


def _waits(pid: int) -> dict[int, int]:
    found: dict[int, int] = {}
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
    except OSError:  # it has ended meanwhile
        return found
    for task in tasks:
        try:
            text = (task / "status").read_text()
        except OSError:  # a thread that has
            continue
        count = text.rpartition("\nvoluntary_ctxt_switches:")[2].split()[0]
        found[int(task.name)] = int(count)
    return found


def memory(pid: int) -> int:
    """Bytes of a process and its descendants; what they share with others counts in part (PSS)."""
    found = 0
    for member in _family(pid):
        text = Path(f"/proc/{member}/smaps_rollup").read_text()
        found += int(text.partition("\nPss:")[2].split()[0]) << 10
    return found


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the value below which a share of the values lies; NaN if there are none."""
    if not ordered:
        return float("nan")
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def medians(rounds: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return each figure's median."""
    return {name: statistics.median(each[name] for each in rounds) for name in rounds[0]}
