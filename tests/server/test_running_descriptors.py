"""File descriptors bound the open files, so that clients can still come."""

from pathlib import Path

import pytest

import smbd.testing
from smbd.config import Config, ShareConfig
from smbd.ntstatus import NtStatus
from smbd.server import descriptors
from tests.core import messages
from tests.core.messages import CREATE
from tests.server.raw import raw_client


@pytest.mark.parametrize(
    ("available", "most", "short"), [(100_000, 98_744, False), (4096, 2840, True), (600, 172, True)]
)
def test_descriptors_bound_the_files_of_the_whole_server(monkeypatch, available, most, short):
    monkeypatch.setattr("resource.getrlimit", lambda _: (available, available))
    config = Config()
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


async def test_without_a_descriptor_left_files_are_refused_and_clients_still_come(
    tmp_path, monkeypatch
):
    monkeypatch.setattr("resource.getrlimit", lambda _: (descriptors._RESERVE + 16,) * 2)
    async with smbd.testing.serve(tmp_path) as server, raw_client(server) as client:
        await client.connect()
        for number in range(8):
            await client.open(str(number))
        refused = await client.ask(CREATE, messages.create("one more"))
        assert refused.status == NtStatus.INSUFFICIENT_RESOURCES
        async with raw_client(server) as other:
            await other.connect()
