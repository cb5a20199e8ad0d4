"""smbtorture (Debian's package samba-testsuite): one case, one process."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from smbd.vfs.acl import stored

from ..servers import PASSWORD, SECOND_PASSWORD, SECOND_USER, SHARE, USER, Server
from .expected import Case, Outcome, Result

PACKAGE = "samba-testsuite"
_PROGRAM = "smbtorture"

# Tools, benchmarks and load tests that --list names too.
_NO_TESTS = re.compile(
    r"smb2\.(bench|scan|hold-|check-sharemode|set-sparse-ioctl|zero-data-ioctl|create\.bench"
    r"|rename\.rename_dir_bench|maxfid)"
)
# Cases that are about a share of another kind, by their beginnings.
_SHARES = {
    "smb2.acls.": "lists",
    "smb2.create_no_streams.": "plain",
    "smb2.replay.replay5": "continuous",
}
# The same of libsmbclient, which takes a URL: all shares, a file.
_URLS = {"libsmbclient.list_shares": "", "libsmbclient.utimes": f"{SHARE}/utimes"}
_OUTCOME_LINE = re.compile(r"(success|skip|xfail|uxsuccess|failure|error): .*?(\[?)$")
_OUTCOMES: dict[str, Outcome] = {"success": "pass", "skip": "skip"}  # all others: fail
_WORST: list[Outcome] = ["pass", "skip", "fail"]
_LATE = "not done"
_LOG_LIMIT = 4 << 20


def installed() -> bool:
    """Tell whether smbtorture is there."""
    return shutil.which(_PROGRAM) is not None


def known() -> Iterator[str]:
    """Yield the name of each test that smbtorture has, as it takes it on its command line."""

    def say(flag: str) -> list[str]:
        command = [_PROGRAM, "-s", "/dev/null", flag]
        said = subprocess.run(command, capture_output=True, text=True, check=True)
        return said.stdout.splitlines()

    suites = set(say("--list-suites"))
    for name in say("--list"):
        parts = name.split(".")
        heads = (".".join(parts[:n]) for n in range(len(parts) - 1, 0, -1))
        suite = next((head for head in heads if head in suites), None)
        if suite is None or _NO_TESTS.match(name):
            continue
        rest = name[len(suite) + 1 :]
        once = rest[: len(rest) // 2]  # most are listed as X.X and run as X
        if suite.endswith("." + rest):
            yield suite
        else:
            yield f"{suite}.{once}" if rest == f"{once}.{once}" else name


def _command(server: Server, test: str) -> list[str]:
    options = {
        "user2name": SECOND_USER,
        "user2password": SECOND_PASSWORD,
        "smburl": f"smb://127.0.0.1:{server.port}/{_URLS.get(test, f'{SHARE}/')}",
        "localdir": str(server.folder),
        "acl_xattr_name": stored.NAME.removeprefix("user."),  # as an EA's name
    }
    share = next((of for head, of in _SHARES.items() if test.startswith(head)), SHARE)
    return [
        _PROGRAM,
        *("-s", "/dev/null"),  # no smb.conf of this machine's
        *("-p", str(server.port)),
        f"-U{USER}%{PASSWORD}",
        "--seed=1",
        *(f"--option=torture:{name}={value}" for name, value in options.items()),
        f"//127.0.0.1/{share if share in server.others else SHARE}",
        re.sub(r"([*?\[])", r"[\1]", test),  # it takes patterns
    ]


def _end(process: "subprocess.Popen[bytes]") -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _verdict(text: list[str], ended: str) -> tuple[Outcome, str]:
    """Return the worst outcome among the output's lines, with the reason printed below it."""
    found: list[tuple[int, str]] = []
    for line, after in zip(text, [*text[1:], ""], strict=True):
        if match := _OUTCOME_LINE.match(line):
            outcome = _OUTCOMES.get(match[1], "fail")
            found.append((_WORST.index(outcome), after if match[2] else ""))
    if not found:
        return "fail", f"{ended}: {text[-1] if text else 'no output'}"
    worst, detail = max(found)
    return _WORST[worst], detail


def run(server: Server, test: str, limit: float, keep: Path | None = None) -> Result:
    """Run a test for at most `limit` seconds. `keep`: a folder for what smbtorture writes."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            _command(server, test),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd=folder,
        )
        try:
            ended = f"smbtorture ended with {process.wait(limit)}"
        except subprocess.TimeoutExpired:
            ended = f"{_LATE} in {limit:.0f} s"
        finally:
            _end(process)
        log.seek(0)
        text = log.read(_LOG_LIMIT).decode(errors="replace").splitlines()
    if keep:
        (keep / (re.sub(r"[^\w.-]", "_", test) + ".log")).write_text("\n".join(text) + "\n")
    outcome: Outcome
    outcome, detail = ("fail", ended) if ended.startswith(_LATE) else _verdict(text, ended)
    detail = re.sub(r"\s+", " ", detail).replace("../../source4/torture/", "")[:300]
    return Result(outcome, detail, time.monotonic() - began)


def judge(server: Server, case: Case, limit: float, keep: Path | None = None) -> Result:
    """Run a case in an empty share; once more if it did not do what is expected."""
    result = _in_order(server, case.test, limit, keep)
    if result.outcome == case.expected:
        return result
    return replace(_in_order(server, case.test, limit, keep), repeated=True)


def _in_order(server: Server, test: str, limit: float, keep: Path | None) -> Result:
    """Run a test on a server that is there, with an empty share.

    After a test that was not done in time the server is started anew: what such a test left
    behind would fail the next one.
    """
    if not server.alive():
        server.stop()
        server.start()
    server.empty()
    result = run(server, test, limit, keep)
    if result.detail.startswith(_LATE):
        server.stop()
    return result
