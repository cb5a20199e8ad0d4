"""The benchmark that goes around several servers: each is there, and compared with the first."""

import re
import subprocess
import sys

from tests.conformance.servers import CHECKOUT


def in_turns(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.bench.in_turns", *arguments]
    return subprocess.run(
        command, check=False, cwd=CHECKOUT, capture_output=True, text=True, timeout=280
    )


def test_it_compares_engines_on_one_file_system():
    done = in_turns(
        *("here:sync", "here", "--depths", "1", "4", "--rounds", "2", "--seconds", "0.1")
    )
    assert not done.returncode, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0::3] == ["4 KiB random read, depth 1", "4 KiB random read, depth 4"]
    for first, second in zip(lines[1::3], lines[2::3], strict=True):
        assert re.fullmatch(r"  here:sync +\d+ ops/s +[\d.]+ us", first)
        shown = re.fullmatch(r"  here:nowait +\d+ ops/s +[\d.]+ us   (-?\d+)% \((-?\d+)%.*", second)
        assert shown, second
        middle, low = map(int, shown.groups())
        assert low <= middle


def test_it_says_what_it_cannot_make():
    done = in_turns("fat32")
    assert done.returncode == 2
    assert "'fat32' is none of here, ext4, xfs, btrfs, tmpfs, overlayfs" in done.stderr


def test_one_round_has_no_quartiles():
    done = in_turns("here", "--rounds", "1")
    assert done.returncode == 2
    assert "--rounds must be 2 or more" in done.stderr
