"""Every parser of wire, logins, RPC, sealed frames, disk records and configuration, fuzzed.

Mutants of right inputs, by the ten thousand: each gives a value or the error that is meant for it.
What was parsed is packed, and done to a file, since values that a parser takes can be too much for
a packer or for Linux.  At last requests of every command go all the way.
"""

import gc
import traceback
from collections.abc import Iterable
from random import Random
from time import thread_time

import trio

from ..campaign import LONGEST_TURN, Campaign, Play
from ..fuzzing.messages import Frames, packers, parsers
from ..fuzzing.mutation import mutant
from ..fuzzing.requests import fuzz
from ..fuzzing.room import little_room
from ..fuzzing.storage import Files
from ..fuzzing.strangers import Configurations, Logins, calls, one_challenge
from ..fuzzing.target import Target


class _Group:
    """What the targets of one room have come to."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.inputs = self.foreign = 0
        self.first = self.slowest = ""
        self.longest = 0.0  # seconds of processor time: other processes do not count

    def fuzz(self, target: Target, random: Random, inputs: int) -> None:
        """Give a target its share of the inputs."""
        for _ in range(max(1, int(inputs * target.share))):
            data = mutant(random, target.seeds)
            self.inputs += 1
            took = self._give(target, data)
            if took > self.longest:
                # Again, since this machine may have been slow and not the parser.
                took = min(took, *(self._give(target, data) for _ in range(3)))
            if took > self.longest:
                self.longest, self.slowest = took, f"{target.name}, {len(data)} bytes"

    def _give(self, target: Target, data: bytes) -> float:
        """Seconds that it takes."""
        start = thread_time()
        try:
            target.take(data)
        except target.allowed:
            pass
        except Exception as error:  # noqa: BLE001 - what the campaign looks for
            self._found(target, data, error)
        return thread_time() - start

    def _found(self, target: Target, data: bytes, error: Exception) -> None:
        self.foreign += 1
        if not self.first:
            place = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{place.filename.rpartition('/')[2]}:{place.lineno}"
            self.first = f"{target.name}: {error!r} at {where}, of {data[:200].hex()}"


def _play_groups(play: Play) -> None:
    random = play.random
    inputs = play.size(20_000, 60)

    def group(name: str, targets: Iterable[Target], bar: float | None = LONGEST_TURN) -> None:
        found = _Group(name)
        for target in targets:
            found.fuzz(target, random, inputs)
        play.note(f"{name}: inputs", found.inputs)
        play.note(f"{name}: foreign exceptions", found.foreign, bar=0, detail=found.first)
        play.note(
            f"{name}: longest", found.longest * 1e3, "ms", bar=bar, timed=True, detail=found.slowest
        )

    group("wire", parsers())
    group("packers", packers())
    frames = Frames(play.folder("frames"))
    group("frames", frames.targets())
    frames.close()
    with one_challenge():
        group("logins", Logins().targets())
    group("RPC", calls())
    files = Files(play.folder("files"))
    group("files", files.targets(), bar=None)  # workers do this
    files.close()
    group("configuration", Configurations(play.folder("configuration")).targets(), bar=None)


async def play(play: Play) -> None:
    """Fuzz in a thread: there is no server, and no loop to stop.  Requests have a loop."""
    requests = play.size(100_000, 600)
    with little_room():
        gc.disable()  # what it takes is not the parser's
        try:
            await trio.to_thread.run_sync(_play_groups, play)
        finally:
            gc.enable()
        unexpected = await fuzz(play.folder("requests"), play.random, requests)
    play.note("requests: inputs", requests)
    play.note("requests: foreign exceptions", unexpected.count, bar=0, detail=unexpected.first)


CAMPAIGN = Campaign("parsers", "every parser, and what is done with what it gives", play)
