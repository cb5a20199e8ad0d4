"""Mount the share with a real Linux kernel, and check the file system that a program sees there.

  python -m tests.conformance.kernel                               vers=3.1.1
  python -m tests.conformance.kernel --vers 2.1 --options cache=none
  python -m tests.conformance.kernel --matrix                      every dialect and option set
  python -m tests.conformance.kernel --server samba                Debian's Samba in our place
  python -m tests.conformance.kernel --run 'ls -l; dmesg | tail'   any command on the mount
  python -m tests.conformance.kernel names punch                   some checks
  python -m tests.conformance.kernel git compile tar rsync         programs: only when named
  python -m tests.conformance.kernel --large git compile           the same with more to do

The kernel is User Mode Linux, up in 2 s; a run of all checks takes about 40 s. It needs root,
/dev/net/tun, busybox-static and apt-get. The exit status is 1 if a check does worse than
expected.tsv says, or better: then the list shrinks.
"""

import argparse
import signal
import sys
import tempfile
from pathlib import Path

from ..servers import CannotStartError, choose
from . import guest
from .rig import MATRIX, Mount, Outcome, prepare, problems, smoke, start


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.conformance.kernel",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("checks", nargs="*", metavar="CHECK", help="run only these (see inside/)")
    add("--vers", default="3.1.1", help="2.0 2.1 3.0 3.0.2 3.1.1 (default: 3.1.1)")
    add("--options", default="", help="more mount options, by commas")
    add("--matrix", action="store_true", help="every dialect and option set, one after the other")
    add("--server", default="smbd", metavar="CMD", help="smbd (default), samba, or a shell command "
        "that serves $SHARE_FOLDER as //127.0.0.1:$PORT/share for test:test")  # fmt: skip
    add("--large", action="store_true", help="give git, compile, tar and rsync more to do")
    add("--run", metavar="COMMAND", help="run this on the mount instead of the checks")
    add("--timeout", type=float, default=280, metavar="S", help="for one mount (default: 280)")
    add("--kernel-log", action="store_true", help="print what the guest's kernel said")
    return parser.parse_args()


def _summary(mount: Mount, found: dict[str, Outcome], said: list[str]) -> str:
    counts = {k: sum(o.kind == k for o in found.values()) for k in ("ok", "FAIL", "skip")}
    verdict = f"{len(said)} not as expected" if said else "as expected"
    return f"{mount.name:32}" + "".join(f" {v} {k}" for k, v in counts.items()) + f"  {verdict}"


def main() -> int:
    """Run the command; return its exit status."""
    arguments = _arguments()
    # By way of the clean-up: a guest left behind goes on for ever.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if why := guest.why_not():
        print(f"the guest cannot run here: {why}", file=sys.stderr)
        return 2
    mounts = MATRIX if arguments.matrix else [Mount(arguments.vers, arguments.options)]
    table, status = [], 0
    with tempfile.TemporaryDirectory(prefix="smbd-kernel-") as work:
        try:
            with choose(Path(work), arguments.server) as server:
                if arguments.run:
                    words = ["--run", arguments.run]
                    ended = start(server, mounts[0], words, arguments.timeout, print)
                    print(ended.kernel_log if arguments.kernel_log else "", end="", file=sys.stderr)
                    return ended.status
                prepare(server.folder)
                for mount in mounts:
                    print(f"# {mount.name}", flush=True)
                    words = [*["--large"] * arguments.large, *arguments.checks]
                    ended, found = smoke(server, mount, words, arguments.timeout, print)
                    said = problems(mount, ended, found, partly=bool(arguments.checks))
                    table.append(_summary(mount, found, said))
                    print(*said, sep="\n")
                    status |= bool(said)
                    if arguments.kernel_log:
                        print(ended.kernel_log, file=sys.stderr)
        except CannotStartError as error:
            print(error, file=sys.stderr)
            return 2
    print(*table, sep="\n")
    return status


if __name__ == "__main__":
    sys.exit(main())
