"""Servers under test, each a process of its own: ours, Debian's Samba, or any command.

The suites here need a server from outside: one that they may restart after a crash, whose CPU time
`/proc` tells, and in whose place another one can stand. (`smbd.testing` serves in process.)
"""

import contextlib
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import SystemRandom
from types import MappingProxyType
from typing import Self

from smbd.vfs.acl import stored
from smbd.wire.dtyp import Ace, AceFlags, AceType, Control, SecurityDescriptor

USER, PASSWORD = "test", "test"
SECOND_USER, SECOND_PASSWORD = "second", "second"
SHARE = "share"
CHECKOUT = Path(__file__).resolve().parents[2]

_RANDOM, _NOBODY_IS_GIVEN = SystemRandom(), (16384, 32768)  # whatever seeds tests have
_START_WITHIN = 60.0  # seconds; ours answers within 0.5, Samba within 2
_STOP_WITHIN = 5.0

# Shares of ours beside "share", with what makes each of them another kind.
_OTHERS = {
    "guests": "guest = true\n",  # a server with something for guests has anonymous sessions
    "plain": "streams = false\n",
    "continuous": "continuous = true\n",
    "lists": "",  # what is made there belongs to its maker: see `_pass_on`
}

_SMB_CONF = """\
[global]
server role = standalone server
server min protocol = SMB2_02
smb ports = {port}
interfaces = 127.0.0.1
bind interfaces only = yes
disable netbios = yes
load printers = no
private dir = {state}
lock directory = {state}
state directory = {state}
cache directory = {state}
pid directory = {state}
ncalrpc dir = {state}/ncalrpc
log file = {state}/log.%m
passdb backend = tdbsam:{state}/passdb.tdb
username map = {state}/users
[share]
path = {folder}
read only = no
"""


class CannotStartError(Exception):
    """The server did not come up; the text says why."""


def free_port() -> int:
    """Return a port of the loopback that nobody listens on now.

    Linux gives no such port to those that ask for any: until its server is there, neither a client
    nor another test's server happens to take it.
    """
    while True:
        port = _RANDOM.randrange(*_NOBODY_IS_GIVEN)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


@dataclass
class Server:
    """One server in a process group of its own, that shares `folder` as "share" for the user test.

    A context manager: the process runs from the beginning of the block to its end.
    """

    name: str
    command: list[str]
    port: int
    folder: Path
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    others: Mapping[str, Path] = field(default_factory=dict)  # shares of another kind, by name
    checkout: Path = CHECKOUT
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def pid(self) -> int:
        """The process whose CPU time, with its descendants', is the server's."""
        assert self.process is not None, "the server is not running"
        return self.process.pid

    def start(self) -> None:
        """Start the process, and return once its port accepts."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.checkout,
                env={**os.environ, **self.environment},
                start_new_session=True,
            )
        give_up = time.monotonic() + _START_WITHIN
        while not self.accepts():
            if self.process.poll() is not None or time.monotonic() > give_up:
                self.stop()
                raise CannotStartError(f"{shlex.join(self.command)}: {self.last_words()}")
            time.sleep(0.02)

    def accepts(self) -> bool:
        """Tell whether the port accepts a connection."""
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 2):
            return True
        return False

    def alive(self) -> bool:
        """Tell whether the process is there and accepts."""
        return self.process is not None and self.process.poll() is None and self.accepts()

    def stop(self) -> None:
        """End the process group: politely, then not."""
        process, self.process = self.process, None
        if process is None:
            return
        for sign in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, sign)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_STOP_WITHIN)
                break

    def last_words(self) -> str:
        """Return the end of what the server wrote to its log."""
        return self.log.read_text(errors="replace")[-2000:].strip()

    def empty(self) -> None:
        """Remove everything in the shared folders."""
        for folder in (self.folder, *self.others.values()):
            for entry in os.scandir(folder):
                if entry.is_dir(follow_symlinks=False):
                    shutil.rmtree(entry)
                else:
                    Path(entry).unlink()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _shared_folder(work: Path, name: str = SHARE) -> Path:
    folder = work / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _pass_on(folder: Path) -> None:
    """Give a share's folder a list that is passed on: everybody may do everything."""
    flags = AceFlags.OBJECT_INHERIT | AceFlags.CONTAINER_INHERIT
    entry = Ace(AceType.ACCESS_ALLOWED, flags, 0x1F01FF, "S-1-1-0")
    owner = f"S-1-22-1-{os.geteuid()}"
    descriptor = SecurityDescriptor(owner, None, [entry], control=Control.DACL_PRESENT)
    os.setxattr(folder, stored.NAME, stored.pack(descriptor))


def ours(
    work: Path,
    signing: str = "enabled",
    engine: str = "nowait",
    checkout: Path = CHECKOUT,
    limits: Mapping[str, int] = MappingProxyType({}),
) -> Server:
    """Return our server, configured by a shares.toml in `work`, for `work`/share.

    Signing is "enabled" so that clients which sign and clients which do not are both served.
    Another checkout serves with its own code, by the Python of its own .venv.
    """
    folder, port = _shared_folder(work), free_port()
    # smb2.ioctl.bug14788 connects to a share in whose folder nobody may do anything.
    barred = work / "noperm"
    barred.mkdir(mode=0, exist_ok=True)
    others = {name: _shared_folder(work, name) for name in _OTHERS} if checkout == CHECKOUT else {}
    keys = ""  # that an older checkout may not know
    if others:
        _pass_on(others["lists"])
        (work / "state").mkdir(mode=0o700, exist_ok=True)
        keys = f'interfaces = ["lo"]\nstate_directory = "{work / "state"}"\n'
    if limits:
        keys += "[server.limits]\n" + "".join(f"{key} = {n}\n" for key, n in limits.items())
    configuration = work / "shares.toml"
    configuration.write_text(
        f"""\
[server]
listen = ["127.0.0.1:{port}"]
signing = "{signing}"
{keys}[users.{USER}]
password = "{PASSWORD}"
[users.{SECOND_USER}]
password = "{SECOND_PASSWORD}"
[shares.{SHARE}]
path = "{folder}"
engine = "{engine}"
[shares.noperm]
path = "{barred}"
"""
        + "".join(
            f'[shares.{name}]\npath = "{path}"\n{_OTHERS[name]}' for name, path in others.items()
        )
    )
    configuration.chmod(0o600)
    python = sys.executable if checkout == CHECKOUT else str(checkout / ".venv/bin/python")
    command = [python, "-m", "smbd", "serve", "--config", str(configuration)]
    name = "smbd" if engine == "nowait" else f"smbd {engine}"
    log = work / "smbd.log"
    return Server(name, command, port, folder, log, others=others, checkout=checkout)


def samba(work: Path) -> Server:
    """Return Debian's Samba with everything that it keeps in `work`. It must be root's."""
    program = shutil.which("smbd", path="/usr/sbin:/usr/local/sbin")
    if not program or os.geteuid():
        raise CannotStartError("Samba needs its package (samba) and root")
    folder, port, state = _shared_folder(work), free_port(), work / "samba"
    (state / "ncalrpc").mkdir(parents=True, exist_ok=True)
    configuration = state / "smb.conf"
    configuration.write_text(_SMB_CONF.format(port=port, state=state, folder=folder))
    # The account is root's, under another name: no user of this machine needs to be made for it.
    (state / "users").write_text(f"root = {USER}\n")
    subprocess.run(
        ["smbpasswd", "-c", configuration, "-s", "-a", "root"],
        input=f"{PASSWORD}\n{PASSWORD}\n",
        text=True,
        check=True,
        capture_output=True,
    )
    command = [program, "--foreground", "--no-process-group", f"--configfile={configuration}"]
    return Server("samba", command, port, folder, state / "smbd.log")


def other(work: Path, command: str) -> Server:
    """Return any server: a shell command that serves $SHARE_FOLDER as "share" on port $PORT."""
    folder, port = _shared_folder(work), free_port()
    environment = {"PORT": str(port), "SHARE_FOLDER": str(folder)}
    words = ["/bin/sh", "-c", f"exec {command}"]
    return Server(command, words, port, folder, work / "server.log", environment)


def choose(work: Path, which: str) -> Server:
    """Return the server that `--server` names: "smbd", "samba", or else a shell command."""
    if which == "smbd":
        return ours(work)
    return samba(work) if which == "samba" else other(work, which)
