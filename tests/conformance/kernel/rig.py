"""One mount of a server's share in the guest: prepared, checked, and held against expected.tsv."""

import csv
import fnmatch
import hashlib
import os
import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..servers import CHECKOUT, PASSWORD, SHARE, USER, Server
from . import guest
from .inside import NO_MOUNT

_INSIDE = "tests.conformance.kernel.inside"
_LIST = Path(__file__).with_name("expected.tsv")
OUTSIDE = "/run/outside"  # this machine's files, where the guest's own /tmp does not hide them
_ENTRIES = 2000
_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Mount:
    """How the share is mounted."""

    vers: str
    options: str = ""

    @property
    def name(self) -> str:
        """The name by which expected.tsv knows it."""
        return f"{self.vers} {self.options}".strip()


MATRIX = [
    Mount("3.1.1"),
    Mount("3.1.1", "seal"),
    Mount("2.0"),
    Mount("2.1"),
    Mount("3.0"),
    Mount("3.0.2"),
    Mount("3.1.1", "sign"),
    Mount("3.1.1", "sec=ntlmsspi"),
    Mount("3.1.1", "nosharesock,cache=none"),
    Mount("3.1.1", "nosharesock,cache=strict"),
    Mount("3.0", "seal"),
    Mount("3.1.1", "mfsymlinks,cache=loose"),
]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a check said: ok, FAIL or skip, and the rest of its line."""

    kind: str
    detail: str


def prepare(folder: Path) -> None:
    """Put into the share what the checks want to find: made on the server's machine."""
    content = os.urandom(64 * _MIB)
    (folder / "host64.bin").write_bytes(content)
    (folder / "host64.md5").write_text(f"{hashlib.md5(content).hexdigest()}  host64.bin\n")
    (folder / "bigdir").mkdir(exist_ok=True)
    for number in range(1, _ENTRIES + 1):
        (folder / f"bigdir/entry-{number}").touch()


def environment(folder: Path, mount: Mount) -> dict[str, str]:
    """Return what the modules in `inside` want to know of the share that they mount."""
    return {
        "SMB_HOST": guest.ADDRESS,
        "SMB_SHARE": SHARE,
        "SMB_USER": USER,
        "SMB_PASSWORD": PASSWORD,
        "SMB_VERS": mount.vers,
        "SMB_OPTIONS": mount.options,
        "SMB_FOLDER": f"{OUTSIDE}{folder.resolve()}",
        "PYTHONPATH": f"{OUTSIDE}{CHECKOUT}",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def job(module: str, words: list[str]) -> str:
    """Return the shell command that runs a module of `inside`, or `inside` itself, if it is ""."""
    # The interpreter without its virtual environment: the checks need the standard library only.
    interpreter = f"{OUTSIDE}{Path(sys.executable).resolve()}"
    return shlex.join(["exec", interpreter, "-s", "-m", f"{_INSIDE}{module}", *words])


def start(
    server: Server, mount: Mount, words: list[str], limit: float, say: Callable[[str], None]
) -> guest.Ended:
    """Boot a guest that mounts the share and runs `inside` with these words."""
    ports = {445: server.port}
    return guest.run(job("", words), ports, environment(server.folder, mount), limit, say)


def smoke(
    server: Server, mount: Mount, checks: list[str], limit: float, say: Callable[[str], None]
) -> tuple[guest.Ended, dict[str, Outcome]]:
    """Run the checks (all, if none is named); return how the guest ended and what each said."""
    ended = start(server, mount, checks, limit, say)
    found = {}
    for line in ended.output.splitlines():
        kind, _, rest = line.partition(" ")
        if kind in {"ok", "FAIL", "skip"}:
            name, _, detail = rest.partition(" ")
            found[name] = Outcome(kind, detail)
    return ended, found


def _expected(mount: Mount) -> dict[str, tuple[str, str]]:
    """Return {check: (kind, reason)} of the checks that are not expected to be ok."""
    with _LIST.open(newline="") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
    return {
        row["check"]: (row["expected"], row["reason"])
        for row in rows
        if fnmatch.fnmatchcase(mount.name, row["mount"])
    }


def problems(
    mount: Mount, ended: guest.Ended, found: dict[str, Outcome], partly: bool = False
) -> list[str]:
    """Return what is not as expected, one line each. `partly`: not all checks were asked for."""
    said = []
    if ended.status:
        why = {NO_MOUNT: "the mount failed", guest.TIMED_OUT: "not done in time"}
        why[guest.DID_NOT_BOOT] = "the guest did not come up"
        tail = " | ".join(ended.kernel_log.split("\n")[-8:])
        said.append(f"{why.get(ended.status, f'the checks ended with {ended.status}')}: {tail}")
    expected = _expected(mount)
    for name, outcome in found.items():
        want, reason = expected.get(name, ("ok", ""))
        if outcome.kind == want:
            continue
        if outcome.kind == "ok":
            said.append(f"{name}: unexpected ok (expected {want}: {reason}): shrink the list")
        else:
            said.append(f"{name}: {outcome.kind}, expected {want}: {outcome.detail}")
    if not partly and "clean_up" not in found:
        said.append("the checks did not reach their end")
    return said
