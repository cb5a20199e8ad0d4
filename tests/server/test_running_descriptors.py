"""File descriptors bound the open files, so that clients can still come."""

import subprocess
import sys
from pathlib import Path

import pytest

import smbd.testing
from smbd.config import Config, Limits, ServerConfig, ShareConfig, UserConfig
from smbd.ntstatus import NtError, NtStatus
from smbd.server import descriptors
from smbd.state import OpenTable
from tests.core import messages
from tests.core.messages import CLOSE, CREATE
from tests.scripted import connected
from tests.state.holders import an_open


@pytest.mark.parametrize(
    ("available", "opens", "most", "short"),
    [
        (100_000, 16384, 98_744, False),
        (20_000, 16384, 18_744, False),  # nobody has asked for so many
        (20_000, 10_000, 18_744, True),
        (4096, 16384, 2840, True),
        (600, 16384, 172, True),
    ],
)
def test_descriptors_bound_the_files_of_the_whole_server(
    monkeypatch, available, opens, most, short
):
    monkeypatch.setattr("resource.getrlimit", lambda _: (available, available))
    config = Config(server=ServerConfig(limits=Limits(opens=opens)))
    assert descriptors.most_opens(config) == most
    told = descriptors.shortage(config)
    assert bool(told) == short
    if short:
        assert f"suffice for {most} beside" in told


def test_a_file_that_is_read_past_the_page_cache_costs_two_descriptors(monkeypatch):
    monkeypatch.setattr("resource.getrlimit", lambda _: (4096, 4096))
    direct = ShareConfig("direct", Path("/"), engine="uring", engine_options={"direct": True})
    config = Config(shares=(ShareConfig("other", Path("/")), direct))
    assert descriptors.most_opens(config) == 2840 // 2
    assert "suffice for 1420 (two each, for direct = true) beside" in descriptors.shortage(config)


def test_the_server_takes_all_descriptors_that_it_may_have(monkeypatch):
    taken = []
    monkeypatch.setattr("resource.getrlimit", lambda _: (1024, 500_000))
    monkeypatch.setattr("resource.setrlimit", lambda _, limits: taken.append(limits))
    descriptors.raise_limit()
    assert taken == [(500_000, 500_000)]


def test_the_table_of_descriptors_is_made_once_while_nobody_waits():
    """The kernel makes it anew whenever it has to grow, and a thread beside makes that slow."""
    program = """
import resource
from pathlib import Path
from smbd.server import descriptors, running

resource.setrlimit(resource.RLIMIT_NOFILE, (5000, 5000))
running.trio.run = lambda *_: print(Path("/proc/self/status").read_text())
running.run(None, started=print, stopped=print)
"""
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    (size,) = (one for one in shown.stdout.splitlines() if one.startswith(b"FDSize:"))
    assert int(size.split()[1]) >= 5000


async def test_one_client_leaves_descriptors_to_others_and_all_can_still_come(
    tmp_path, monkeypatch
):
    monkeypatch.setattr("resource.getrlimit", lambda _: (descriptors._RESERVE + 24,) * 2)
    users = [UserConfig("other", password="other")]
    limits = Limits(connections=12)
    async with (
        smbd.testing.serve(tmp_path, users=users, limits=limits) as server,
        connected(server) as one,
        connected(server) as two,
    ):
        await one.connect()
        await two.connect()
        taken = [await one.open(str(number)) for number in range(6)]
        refused = await one.ask(CREATE, messages.create("one more"))
        assert refused.status == NtStatus.INSUFFICIENT_RESOURCES
        assert not (tmp_path / "one more").exists()
        for number in range(2):
            await two.open(f"two {number}")
        refused = await two.ask(CREATE, messages.create("one more"))
        assert refused.status == NtStatus.INSUFFICIENT_RESOURCES, "two thirds are this user's"
        async with connected(server) as other:
            await other.connect("share", "other", "other")
            await other.open("other")
        assert (await one.ask(CLOSE, messages.close(taken[0]))).status == 0
        await two.open("one more")


def test_nobody_has_so_much_that_too_little_is_left_to_others():
    table = OpenTable(limit=240)

    def takes_all(*claimants):
        """How many this one gets."""
        count = 0
        while True:
            try:
                table.check(claimants)
            except NtError:
                return count
            table.add(an_open(number=table.new_volatile_id(), claimants=claimants))
            count += 1

    assert takes_all("connection 1", "user ann", "2001:db8::/64") == 120
    assert takes_all("connection 2", "user ann", "2001:db8::/64") == 40
    assert takes_all("connection 3", "user ann", "192.0.2.1") == 0
    assert takes_all("connection 4", "user bob", "2001:db8::/64") == 20
    assert takes_all("connection 5", "user cid", "2001:db8::/64") == 0
    assert takes_all("connection 6", "user dee", "192.0.2.2") == 30
    for one in list(table):
        table.remove(one)
        table.remove(one)
    assert not table._counts
    assert takes_all("connection 6", "user dee", "192.0.2.2") == 120
