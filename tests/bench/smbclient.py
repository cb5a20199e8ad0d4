"""smbclient as a load: told when to begin, and it tells when it is done.

It has no word for that.  But a file that it puts may be a pipe: it waits there for its reader's
other end, and to wait there tells that all before it is done.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from smbd.load import LoadError, Target

_PROTECTION = {"plain": "off", "signed": "sign", "sealed": "encrypt"}
_WITHIN = 120.0  # seconds
_LOOKS_EVERY = 0.0005


class SmbClient:
    """A running smbclient, on its way to its first gate."""

    def __init__(self, process: "subprocess.Popen[bytes]", first: Path, second: Path) -> None:
        self.pid = process.pid
        self._process, self._second = process, second
        self._end = self._arrived_at(first)

    def go(self) -> None:
        """Let it do its command, and return when it is done: then it waits again, and lives."""
        os.close(self._end)
        self._end = self._arrived_at(self._second)

    def close(self) -> None:
        """Let it go on."""
        os.close(self._end)

    def _arrived_at(self, gate: Path) -> int:
        """Wait until it reads from the gate; the other end, for which it then waits."""
        give_up = time.monotonic() + _WITHIN
        while time.monotonic() < give_up:
            try:
                return os.open(gate, os.O_WRONLY | os.O_NONBLOCK)
            except OSError:  # ENXIO: nobody reads
                time.sleep(_LOOKS_EVERY)
            if self._process.poll() is not None:
                break
        raise LoadError("smbclient has ended, or does not go on")


@contextmanager
def started(
    target: Target, protection: str, prepare: Sequence[str], command: str, folder: Path
) -> Iterator[SmbClient]:
    """smbclient, `prepare` done, before `command`; it is killed at the end.

    `protection`: plain, signed or sealed.  `folder` gets two pipes, of which it puts the content,
    nothing, into the share's file "gate".  LoadError: there is no smbclient.
    """
    program = shutil.which("smbclient")
    if program is None:
        raise LoadError("no smbclient (package smbclient)")
    gates = folder / "first", folder / "second"
    for gate in gates:
        os.mkfifo(gate)
    first, second = (f"put {gate} ..\\gate" for gate in gates)
    words = [
        program, f"//{target.host}/{target.share}", "-p", str(target.port),
        "-U", f"{target.user}%{target.password}", "-s", "/dev/null", "-m", "SMB3_11",
        f"--client-protection={_PROTECTION[protection]}",
        "-c", "; ".join([*prepare, first, command, second]),
    ]  # fmt: skip
    process = subprocess.Popen(
        words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        client = SmbClient(process, *gates)
        try:
            yield client
        finally:
            client.close()
    finally:
        process.kill()
        process.wait()
