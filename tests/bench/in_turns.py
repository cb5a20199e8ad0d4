"""Compare file systems and engines under the server, in turns: for differences below the noise.

  python -m tests.bench.in_turns ext4 tmpfs overlayfs
  python -m tests.bench.in_turns here:sync here --depths 1 --rounds 40
  python -m tests.bench.in_turns here@../before here --write

A side is a file system (one that is made for this, which needs root, or "here", that of
/var/tmp), and maybe an engine, and maybe another checkout with a .venv of its own, whose code
serves: so a change is measured before and after. Each has a server of its own, with a file of
64 MiB in the page cache. The machine's moods last for seconds, so the load goes around all
sides in half a second each, and every slice is compared with the first side's of the same
round: shown are the median and the quartiles of those ratios and differences.
"""

import argparse
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from aio.compare.volumes import KINDS, VolumeError, made_volume
from smbd.load import LoadError, Target
from tests.conformance.servers import CHECKOUT, PASSWORD, SHARE, USER, CannotStartError, ours

from .measure import medians
from .tasks import Load, Task

_FILES_IN = Path("/var/tmp")  # not /tmp, which may be a tmpfs
_HERE = "here"

# What each slice of one side measured, in the order of the rounds.
Slices = list[dict[str, float]]


class Side(NamedTuple):
    """What is compared: a file system, the engine on it, and whose code serves it."""

    volume: str
    engine: str
    checkout: Path = CHECKOUT

    @classmethod
    def parse(cls, text: str) -> "Side":
        """Take "ext4", "ext4:threads" or "ext4@CHECKOUT"; ArgumentTypeError if it is not there."""
        what, _, checkout = text.partition("@")
        volume, _, engine = what.partition(":")
        if volume not in {_HERE, *KINDS}:
            raise argparse.ArgumentTypeError(f"{volume!r} is none of {_HERE}, {', '.join(KINDS)}")
        tree = Path(checkout).resolve() if checkout else CHECKOUT
        if tree != CHECKOUT and not (tree / ".venv/bin/python").exists():
            raise argparse.ArgumentTypeError(f"{tree} has no .venv: run its tests/run once")
        return cls(volume, engine or "nowait", tree)

    def __str__(self) -> str:
        whose = "" if self.checkout == CHECKOUT else f"@{self.checkout.name}"
        return f"{self.volume}:{self.engine}{whose}"


@contextmanager
def served(sides: Sequence[Side]) -> Iterator[list[Load]]:
    """A running server for each side, its file filled."""
    with ExitStack() as stack:
        folders = {
            name: Path(
                stack.enter_context(tempfile.TemporaryDirectory(dir=_FILES_IN))
                if name == _HERE
                else stack.enter_context(made_volume(name, _FILES_IN)).folder
            )
            for name in dict.fromkeys(side.volume for side in sides)
        }
        loads = []
        for number, side in enumerate(sides):
            work = folders[side.volume] / str(number)
            work.mkdir()
            server = stack.enter_context(ours(work, engine=side.engine, checkout=side.checkout))
            target = Target(server.port, SHARE, USER, PASSWORD)
            load = Load(target, "load.bin", pid=server.pid)
            load.fill(Task().file_size)
            loads.append(load)
        yield loads


def measure(loads: Sequence[Load], task: Task, rounds: int, seconds: float) -> list[Slices]:
    """Return each side's slices; another one begins each round."""
    found: list[Slices] = [[] for _ in loads]
    for number in range(rounds):
        for turn in range(len(loads)):
            side = (number + turn) % len(loads)
            found[side].append(loads[side].run(task, seconds).as_dict())
    return found


def line(side: Side, slices: Slices, first: Slices) -> str:
    """Return a side's line of the table."""
    ops, cpu = "ops_per_s", "server_us_per_op"
    middle = medians(slices)
    text = f"  {side!s:22}{middle[ops]:9.0f} ops/s {middle[cpu]:7.2f} us"
    if slices is first:
        return text
    pairs = list(zip(slices, first, strict=True))
    low, half, high = statistics.quantiles((mine[ops] / its[ops] for mine, its in pairs), n=4)
    less, more, most = statistics.quantiles((mine[cpu] - its[cpu] for mine, its in pairs), n=4)
    return (
        f"{text}   {half:.0%} ({low:.0%} to {high:.0%}) of the operations, "
        f"{more:+.1f} us ({less:+.1f} to {most:+.1f}) of CPU"
    )


def main() -> int:
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.in_turns",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("sides", nargs="+", type=Side.parse, metavar="SIDE", help="FILE-SYSTEM[:ENGINE][@CHECKOUT]")
    add("--write", action="store_true", help="WRITE instead of READ")
    add("--depths", nargs="+", type=int, default=[1, 4, 16, 64], help="(default: 1 4 16 64)")
    add("--rounds", type=int, default=20, help="at least 2 (default: 20)")
    add("--seconds", type=float, default=0.5, help="of one slice (default: 0.5)")
    arguments = parser.parse_args()
    if arguments.rounds < 2:
        parser.error("--rounds must be 2 or more: quartiles need them")
    try:
        with served(arguments.sides) as loads:
            for depth in arguments.depths:
                task = Task("write" if arguments.write else "read", depth=depth)
                found = measure(loads, task, arguments.rounds, arguments.seconds)
                print(task.name)
                for side, slices in zip(arguments.sides, found, strict=True):
                    print(line(side, slices, found[0]), flush=True)
    except (CannotStartError, LoadError, VolumeError, OSError) as error:
        print(f"in_turns: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
