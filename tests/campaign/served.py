"""A server in a process of its own, to be attacked: what it holds, and how its loop turns."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import trio

from tests.conformance.servers import CHECKOUT, free_port

from .campaign import Turn

USER, PASSWORD = "test", "test"
SECOND_USER, SECOND_PASSWORD = "second", "second"
SHARE = "share"
_START_WITHIN, _STOP_WITHIN = 60.0, 15.0
_ENDED_WITHIN = 60.0  # what has not ended by then is left
_OF_ENGINES = "anon_inode:[eventfd]"  # nothing else has any


@dataclass
class Served:
    """The running server, as a client and as /proc see it."""

    folder: Path  # what it shares
    port: int
    state: Path  # its shares.toml, control socket, log and turns
    process: "subprocess.Popen[bytes]"
    host: str = "127.0.0.1"
    _forgotten: int = field(default=0)

    @property
    def pid(self) -> int:
        """Its process."""
        return self.process.pid

    # --- the loop ---

    def turns(self) -> list[Turn]:
        """The turns of more than a millisecond since `forget_turns`."""
        lines = (self.state / "turns").read_bytes()[self._forgotten :].decode().splitlines()
        return [Turn(float(took), task) for took, task in (one.split(" ", 1) for one in lines)]

    def longest_turn(self) -> Turn:
        """The longest one since `forget_turns`."""
        return max(self.turns(), key=lambda one: one.milliseconds, default=Turn(0.0, "none"))

    def forget_turns(self) -> None:
        """Whatever the loop did until now is not the attack's doing."""
        self._forgotten = (self.state / "turns").stat().st_size

    # --- what it holds ---

    def resident(self) -> int:
        """Resident memory in bytes."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGESIZE")

    def proportional(self) -> int:
        """Its memory in bytes, what it shares with others counted in parts (PSS)."""
        lines = Path(f"/proc/{self.pid}/smaps_rollup").read_text().splitlines()
        return next(int(one.split()[1]) << 10 for one in lines if one.startswith("Pss:"))

    def descriptors(self) -> int:
        """Open file descriptors, but for those of engines, and one pipe that is open at both ends.

        A share's engine opens its own at the first FLUSH, and at the first READ that waits for the
        disk, and keeps them: whether an attack meets either first is the machine's doing.  So does
        the server with the pipe by which long READs and WRITEs go, once there is a client for C.
        """
        found: Counter[str] = Counter()
        for one in Path(f"/proc/{self.pid}/fd").iterdir():
            with contextlib.suppress(OSError):  # closed meanwhile
                found[str(one.readlink())] += 1
        pipes = (ends for name, ends in found.items() if name.startswith("pipe:"))
        return found.total() - found[_OF_ENGINES] - (2 if 2 in pipes else 0)

    def threads(self) -> int:
        """Threads of the process."""
        return len(os.listdir(f"/proc/{self.pid}/task"))  # noqa: PTH208

    def tasks(self) -> int:
        """Tasks in its event loop, but for those of engines, as `descriptors`."""
        return int.from_bytes((self.state / "tasks").read_bytes(), "little")

    def cpu(self) -> float:
        """CPU seconds used until now."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    async def status(self) -> dict[str, Any]:
        """What `smbd status --json` shows: sessions, opens, locks and more."""
        async with await trio.open_unix_socket(self.state / "control") as stream:
            await stream.send_all(b'{"ask": "status"}\n')
            document: dict[str, Any] = json.loads(b"".join([part async for part in stream]))
        return document

    async def held(self) -> dict[str, int]:
        """How many there are of each thing that clients make it hold."""
        status = await self.status()
        return {
            "connections": status["connections"]["now"],
            "sessions": len(status["sessions"]),
            "opens": len(status["opens"]),
            "locks": len(status["locks"]),
            "descriptors": self.descriptors(),
            "tasks": self.tasks(),
        }

    async def held_at_rest(self) -> dict[str, int]:
        """The same while nobody is there: the least of several looks, each of which is a client."""
        looks = []
        for _ in range(10):
            looks.append(await self.held())
            await trio.sleep(0.05)
        return {what: min(one[what] for one in looks) for what in looks[0]}

    async def left(self, before: Mapping[str, int]) -> dict[str, int]:
        """How much more it holds than `before`, of each: what is ending is waited for."""
        give_up = time.monotonic() + _ENDED_WITHIN
        while True:
            held = await self.held()
            left = {what: held[what] - count for what, count in before.items()}
            if max(left.values()) <= 0 or time.monotonic() > give_up:
                return left
            await trio.sleep(0.05)

    def log(self) -> str:
        """All that it has logged."""
        return (self.state / "log").read_text(errors="replace")

    def tracebacks(self) -> int:
        """How many exceptions nobody had foreseen: 0, or smbd has a bug."""
        return self.log().count("Traceback (most recent")

    def alive(self) -> bool:
        """Whether the process is there and accepts."""
        if self.process.poll() is not None:
            return False
        with contextlib.suppress(OSError), socket.create_connection((self.host, self.port), 2):
            return True
        return False

    # --- signals ---

    def send_signal(self, number: int) -> None:
        """Send a signal to the process."""
        self.process.send_signal(number)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End it; its exit status.  What does not end in time is killed."""
        if self.process.poll() is None:
            self.send_signal(number)
            try:
                self.process.wait(_STOP_WITHIN)
            except subprocess.TimeoutExpired:
                self.process.kill()
        return self.process.wait()


@asynccontextmanager
async def served(
    state: Path,
    *,
    share: str = "",
    server: str = "",
    more: str = "",
    folder: Path | None = None,
    environment: Mapping[str, str] = MappingProxyType({}),
) -> AsyncIterator[Served]:
    """A server for the users test and second, with `folder` (default: a new one) as "share".

    `share`, `server` and `more` are lines of shares.toml: of [shares.share], of [server], and whole
    tables behind all others ([server.limits] too).  `state` must be an existing, empty folder.
    `environment`: variables that the server has beside those of this process.
    """
    if folder is None:
        folder = state / "share"
        folder.mkdir()
    port = _configuration(state, folder, (server, share, more))
    running = _start(state, folder, port, environment)
    try:
        yield running
    finally:
        running.stop()


def _configuration(state: Path, folder: Path, lines: tuple[str, str, str]) -> int:
    """Write shares.toml; the port."""
    port = free_port()
    server, share, more = lines
    configuration = state / "shares.toml"
    configuration.write_text(
        f"""\
[server]
listen = ["127.0.0.1:{port}"]
status_socket = "{state}/control"
{server}
[users.{USER}]
password = "{PASSWORD}"
[users.{SECOND_USER}]
password = "{SECOND_PASSWORD}"
[shares.{SHARE}]
path = "{folder}"
{share}
{more}
"""
    )
    configuration.chmod(0o600)
    return port


def _accepts(path: Path) -> bool:
    """Whether a server listens there: the name comes earlier."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as control:
        control.connect(str(path))
        return True
    return False


def _start(state: Path, folder: Path, port: int, environment: Mapping[str, str]) -> Served:
    (state / "turns").touch()
    words = [sys.executable, "-m", "tests.campaign.turning", str(state)]
    with (state / "log").open("ab") as log:
        process = subprocess.Popen(
            [*words, "serve", "--config", str(state / "shares.toml")],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=CHECKOUT,
            env=os.environ | environment,
        )
    running = Served(folder, port, state, process)
    give_up = time.monotonic() + _START_WITHIN
    while not (running.alive() and _accepts(state / "control")):
        if process.poll() is not None or time.monotonic() > give_up:
            running.stop()
            raise RuntimeError(f"the server did not start: {running.log()[-2000:]}")
        time.sleep(0.02)
    return running
