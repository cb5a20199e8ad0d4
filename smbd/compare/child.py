"""The study's end of the pipe to its server (smbd.compare.server)."""

import contextlib
import json
import secrets
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from smbd.load import Target

_USER = "study"
_END_SECONDS = 5  # from the end of its stdin to its own: it has nothing left to do


class Child:
    """A server in a process of its own, that shares one folder.

    It lives in the namespaces and control groups that this process is in when it makes it.  Not in
    its process group: Ctrl-C is for the study, which ends the child.
    """

    def __init__(self, folder: Path) -> None:
        self._password = secrets.token_hex()
        self._words = tempfile.TemporaryFile()  # noqa: SIM115 -- closed in `close`
        self._process = subprocess.Popen(
            (sys.executable, "-m", "smbd.compare.server"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._words,
            process_group=0,
        )
        try:
            about = {"folder": str(folder.absolute()), "user": _USER, "password": self._password}
            self._port: int = self._ask(about)["port"]
        except BaseException:
            self.close()
            raise

    def target(self, share: str) -> Target:
        """Where to log in, and as whom; ChildProcessError if it has ended."""
        if self._process.poll() is not None:
            raise ChildProcessError(self._how_it_ended())
        return Target(self._port, share, _USER, self._password)

    def open(self, share: str, engine: str, options: dict[str, int]) -> str:
        """Have the folder served under one more name by this engine; why that cannot be, or ""."""
        about = {"share": share, "engine": engine, "options": options}
        problem: str = self._ask({"ask": "open", **about})["problem"]
        return problem

    def begin(self, share: str, seconds: float) -> None:
        """A run of about so many seconds begins."""
        self._ask({"ask": "begin", "share": share, "seconds": float(seconds)})

    def end(self) -> dict[str, Any]:
        """The run has ended: its usage (see Usage), iterations (seconds, by slot) and stats."""
        return self._ask({"ask": "end"})

    def close(self) -> None:
        """End it; again is harmless."""
        if self._words.closed:
            return
        try:
            self._process.communicate(timeout=_END_SECONDS)  # closes its stdin
        except subprocess.TimeoutExpired:  # its loop waits for a disk
            self._process.kill()
            self._process.communicate()
        self._words.close()

    def _ask(self, question: dict[str, Any]) -> dict[str, Any]:
        if self._words.closed:
            raise ChildProcessError(self._how_it_ended())
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        line = b""
        with contextlib.suppress(BrokenPipeError):
            stdin.write(json.dumps(question).encode() + b"\n")
            stdin.flush()
            line = stdout.readline()
        if not line:
            raise ChildProcessError(self._how_it_ended())
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _how_it_ended(self) -> str:
        if self._words.closed:
            return "the study's server is closed"
        self._words.seek(0)
        *_, last = ["it said nothing", *self._words.read().decode(errors="replace").splitlines()]
        return f"the study's server has ended: {last}"
