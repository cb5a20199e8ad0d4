"""Where the time of a compound goes: Dispatch.frame alone, without socket, loop and client.

    python -m tests.bench.inside [stat] [first] [open] [new] [apart] [remove] [del] [--list 30]

Each is CREATE to CLOSE, answered at once: in one frame, "apart" in three, "del" in two.  "first" is
a stat whose answers are not remembered; "remove" and "del" delete files of 4 KiB.  Beside the
thread's CPU time, the best 2 % of slices of 40, it counts what no load of the machine moves:
Python's instructions and calls, which are most of it, function by function.  `strace -c -f` counts
the system calls.
"""

import argparse
import sys
import tempfile
from collections import Counter
from math import inf
from pathlib import Path
from time import thread_time

import trio

from smbd.commands import visit
from smbd.vfs import Root
from tests.commands.stage import on_stage
from tests.core import messages
from tests.core.messages import CLOSE, CREATE, DELETE_ON_CLOSE, PREVIOUS_FILE, QUERY_INFO

ALL = 18  # FileAllInformation
NAME = "file"
ATTRIBUTES, READ, ALL_ACCESS = 0x80, 0x120089, 0x1F01FF
END = (CLOSE, messages.close(PREVIOUS_FILE))
DELETES = 0x10080
OPEN, MAKE = {"disposition": messages.FILE_OPEN}, {"disposition": 2, "options": DELETE_ON_CLOSE}
REMOVE = {**OPEN, "options": DELETE_ON_CLOSE}
COMPOUNDS = {
    "stat": (ATTRIBUTES, OPEN, [(QUERY_INFO, messages.query_info(PREVIOUS_FILE, ALL)), END]),
    "first": (ATTRIBUTES, OPEN, [(QUERY_INFO, messages.query_info(PREVIOUS_FILE, ALL)), END]),
    "open": (READ, OPEN, [END]),
    "new": (ALL_ACCESS, MAKE, [END]),  # and deleted by its CLOSE
    "apart": (READ, OPEN, [(QUERY_INFO, messages.query_info(PREVIOUS_FILE, ALL)), END]),
    "remove": (DELETES, REMOVE, [END]),
    "del": (DELETES, REMOVE, [END]),
}
APART = ("apart", "del")
FILE_ID_AT = {QUERY_INFO: 88, CLOSE: 72}
SLICE, SLICES = 40, 200
CHECKOUT = str(Path(__file__).resolve().parents[2])


def frames(stage, kind, count):
    access, how, rest = COMPOUNDS[kind]
    numbered = [f"{kind} {number}" for number in range(count)]
    names = [NAME] * count if how is OPEN else numbered
    if how is REMOVE:
        for name in names:
            Path(stage.root.path, name).write_bytes(bytes(4096))
    creates = [messages.create(name, access=access, **how) for name in names]
    related, request = stage.peer.related, stage.peer.request
    made = [
        [request(*one) for one in ((CREATE, create), *rest)]
        if kind in APART
        else [related((CREATE, create), *rest)]
        for create in creates
    ]
    return [[memoryview(bytearray(frame)) for frame in frames] for frames in made]


def carry_out(stage, some):
    """The replies are not kept; a compound that is not answered at once is no measurement."""
    handle, sent = stage.dispatch.frame, stage.wire.frames
    for first, *others in some:
        count = len(sent)
        handle(first, 0.0)
        assert len(sent) > count, "a worker was needed"
        file_id = sent[-1][128:144]
        for frame in others:
            at = FILE_ID_AT[frame[12]]
            frame[at : at + 16] = file_id
            handle(frame, 0.0)
    assert len(sent) == sum(map(len, some)), "a worker was needed"
    assert not any(int.from_bytes(frame[8:12], "little") for frame in sent)
    sent.clear()


def slices(stage, kind):
    """Microseconds for each compound, slice by slice."""
    for _ in range(SLICES):
        some = frames(stage, kind, SLICE)
        began = thread_time()
        carry_out(stage, some)
        yield (thread_time() - began) / SLICE * 1e6


def count(stage, kind):
    """Python's instructions and calls for each compound, by the code that they are in."""
    instructions, calls = Counter(), Counter()

    def trace(frame, event, _argument):
        if event == "call":
            frame.f_trace_opcodes, frame.f_trace_lines = True, False
            calls[frame.f_code] += 1
        elif event == "opcode":
            instructions[frame.f_code] += 1
        return trace

    some = frames(stage, kind, SLICE)
    sys.settrace(trace)
    try:
        carry_out(stage, some)
    finally:
        sys.settrace(None)
    for counted in (instructions, calls):
        for code in [one for one in counted if one.co_filename == __file__]:
            del counted[code]
    return instructions, calls


def tell(stage, kind, listed):
    carry_out(stage, frames(stage, kind, SLICE))
    took = sorted(slices(stage, kind))
    instructions, calls = count(stage, kind)
    print(
        f"{kind}: {took[len(took) // 50]:.1f} us (median {took[len(took) // 2]:.1f}), "
        f"{instructions.total() // SLICE} instructions in {calls.total() / SLICE:.0f} calls"
    )
    for code, number in instructions.most_common(listed):
        where = code.co_filename.removeprefix(CHECKOUT).lstrip("/")
        print(f"{number / SLICE:8.0f} {calls[code] / SLICE:4.0f}  {where}:{code.co_qualname}")


async def measure(folder, kinds, listed):
    async with on_stage(folder, at_once=True) as stage:
        await stage.open("known")  # a worker reads the folder
        stage.wire.turn.over = inf
        stage.service.tables.opens.limit = 1 << 20
        for kind in kinds:
            sys.modules["smbd.vfs.records"]._SETTLED_NS = (kind == "first") << 62
            visit._known.clear()
            sys.modules["smbd.vfs.information"]._told.clear()
            sys.modules["smbd.vfs.information"]._young.clear()
            tell(stage, kind, listed)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("kinds", nargs="*", choices=[*COMPOUNDS, []], help="(default: all)")
    parser.add_argument("--list", type=int, default=0, help="the so many functions that have most")
    asked = parser.parse_args()
    Root.SLOW_OPEN = inf  # to be traced makes opens slow, which would have them go to workers
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        Path(folder, NAME).write_bytes(b"data")
        trio.run(measure, folder, asked.kinds or list(COMPOUNDS), asked.list)


if __name__ == "__main__":
    main()
