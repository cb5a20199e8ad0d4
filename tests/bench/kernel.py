"""The rows of a Linux kernel: one guest mounts all servers, and works on one after the other."""

from collections.abc import Container, Sequence
from dataclasses import dataclass, field

from tests.conformance.kernel import guest
from tests.conformance.kernel.rig import Mount, environment, job

from .bars import COST, RATE
from .files import kept
from .measure import usage
from .results import Results
from .stands import Stand

FILES, ENTRIES, COPIED = 1000, 5000, 64
_FOLDERS = 50  # of the tree
_FIRST_PORT = 445
_LIMIT = 3600.0  # seconds; it is slow, and waits for the machine

# Of each step of `inside.timing`: its row, what there is of its unit, and the unit.
STEPS = {
    "write": (f"kernel writes {COPIED} MiB", COPIED, "MiB"),
    "read": (f"kernel reads {COPIED} MiB", COPIED, "MiB"),
    "make": (f"kernel makes {FILES:,} files", FILES, "files"),
    "remove": (f"kernel removes {FILES:,} files", FILES, "files"),
    "ls": (f"kernel: ls -l of {ENTRIES:,}", ENTRIES, "entries"),
    "find": (f"kernel: find, {ENTRIES:,} in {_FOLDERS} folders", ENTRIES, "entries"),
}


@dataclass
class Clerk:
    """Takes down what the guest says."""

    stands: Sequence[Stand]
    results: Results
    _before: dict[int, float] = field(default_factory=dict)

    def hear(self, line: str) -> None:
        """Read the server's CPU when a step begins and when it ends."""
        match line.split():
            case ["begin", place, _]:
                self._before[int(place)] = usage(self.stands[int(place)].pid).cpu
            case ["end", place, step, seconds]:
                stand = self.stands[int(place)]
                row, count, _ = STEPS[step]
                cpu = usage(stand.pid).cpu - self._before[int(place)]
                figures = {
                    RATE: round(count / float(seconds), 2),
                    COST: round(1e6 * cpu / count, 2),
                }
                self.results.add(row, stand.name, figures)


def measure(stands: Sequence[Stand], rounds: int, results: Results, wanted: Container[str]) -> None:
    """The steps of these rows, on all servers."""
    steps = [step for step, (row, _, _) in STEPS.items() if row in wanted]
    if "remove" in steps and "make" not in steps:
        steps.insert(steps.index("remove"), "make")

    def cannot(why: str) -> None:
        for step in steps:
            for stand in stands:
                results.cannot(STEPS[step][0], stand.name, why)

    if why := guest.why_not():
        cannot(why)
        return
    for stand in stands:
        for number in range(rounds):
            kept(stand.folder / f"listed-{number}", ENTRIES, 100)
        tree = stand.folder / "tree"
        tree.mkdir()
        for number in range(_FOLDERS):
            kept(tree / f"folder-{number}", ENTRIES // _FOLDERS, 100)
    ports = {_FIRST_PORT + place: stand.target.port for place, stand in enumerate(stands)}
    words = [str(len(stands)), str(rounds), str(FILES), *steps]
    clerk = Clerk(stands, results)
    variables = environment(stands[0].folder, Mount("3.1.1"))
    ended = guest.run(job(".timing", words), ports, variables, _LIMIT, clerk.hear)
    if ended.status:
        said = ended.output.strip().splitlines()[-1:] or [ended.kernel_log[-300:]]
        cannot(f"the guest ended with {ended.status}: {said[0]}")
