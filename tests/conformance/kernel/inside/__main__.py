"""What a Linux program may ask of a mounted share: `[--run COMMAND | [--large] CHECK ...]`.

One line a check: "ok NAME 12ms", "FAIL NAME why", or "skip NAME why" for an optional feature that
the client says is unsupported.
"""

import os
import shutil
import subprocess
import sys

from . import NO_MOUNT, features, files, programs, sharing
from .harness import CHECKS, MOUNT, mount, report


def _in_order() -> list[str]:
    """Return the checks' names, the plainest first: the second mount is one of the last's work.

    Whole programs take longer than all other checks, and run only if they are named.
    """
    modules = [module.__name__ for module in (files, features, sharing)]
    names = [name for name, run in CHECKS.items() if run.__module__ != programs.__name__]
    return sorted(names, key=lambda name: modules.index(CHECKS[name].__module__))


def main() -> int:
    """Mount the share, and run the checks in a folder of their own."""
    try:
        mount(MOUNT)
    except OSError as error:
        print(f"# mount: {error}")
        return NO_MOUNT
    if sys.argv[1:2] == ["--run"]:
        return subprocess.run(sys.argv[2], shell=True, cwd=MOUNT, check=False).returncode
    work = MOUNT / f"smoke-{os.urandom(4).hex()}"
    work.mkdir()
    os.chdir(work)
    names = sys.argv[1:]
    if names[:1] == ["--large"]:
        os.environ["SMB_PROGRAMS"] = names.pop(0)
    for name in names or _in_order():
        report(name, CHECKS[name])
    os.chdir("/")
    report("clean_up", lambda: shutil.rmtree(work))
    return 0


if __name__ == "__main__":
    sys.exit(main())
