"""Load a running server with READs or WRITEs in a closed loop, and print what that cost.

  python -m tests.bench.load --port 4450 --pid PID --size 4K --depth 16
  python -m tests.bench.load --port 4450 --pid PID --write --sequential --size 1M --signing gmac

It speaks SMB 3.1.1. The file is made if it is missing, and filled with --fill. --pid adds the CPU
time of the server's process and its descendants. Compare servers within one run of
`python -m tests.bench` only: machines have moods.
"""

import argparse
import json
import sys

from smbd.load import LoadError, Operation, Target

from .tasks import Load, Task

_UNITS = {"K": 1 << 10, "M": 1 << 20}


def size(text: str) -> int:
    """Read a size such as 4096, 64K or 1M."""
    unit = _UNITS.get(text[-1:].upper())
    return int(text[:-1]) * unit if unit else int(text)


def main() -> int:
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.load",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--host", default="127.0.0.1")
    add("--port", type=int, required=True)
    add("--share", default="share")
    add("--user", default="test")
    add("--password", default="test")
    add("--file", default="load.bin", help="the file in the share (default: load.bin)")
    add("--file-size", type=size, default="64M", help="how much of it is used (default: 64M)")
    add("--fill", action="store_true", help="write the file first")
    add("--write", action="store_true", help="WRITE instead of READ")
    add("--sequential", action="store_true", help="one after the other instead of at random")
    add("--size", type=size, default="4K", help="of one operation (default: 4K)")
    add("--depth", type=int, default=16, help="in flight on each connection (default: 16)")
    add("--connections", type=int, default=1, help="(default: 1)")
    add(
        "--signing", choices=("off", "gmac", "cmac", "sealed"), default="off", help="(default: off)"
    )
    add("--seconds", type=float, default=4, help="(default: 4)")
    add("--pid", type=int, help="the server's process")
    a = parser.parse_args()
    target = Target(a.port, a.share, a.user, a.password, a.host)
    operation: Operation = "write" if a.write else "read"
    task = Task(operation, a.size, a.depth, not a.sequential, a.file_size)
    load = Load(target, a.file, a.connections, a.signing, a.pid)
    try:
        if a.fill:
            load.fill(a.file_size)
        cost = load.run(task, a.seconds)
    except (LoadError, OSError) as error:
        print(f"load: {error}", file=sys.stderr)
        return 1
    print(json.dumps({"work": task.name, "signing": a.signing, **cost.as_dict()}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
