"""The load client against our server: that it moves the bytes it counts, signed or not."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import smbd.testing

from .client import LoadClient, Work
from .session import LoadError, Signing, Target

SIZE = 1 << 20
READS = Work("read", 4096, depth=8, file_size=SIZE)


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Target]:
    with smbd.testing.serve_in_thread(tmp_path, signing="enabled") as server:
        yield Target(server.port, server.host, server.share, server.user, server.password)


@pytest.mark.parametrize("signing", ["off", "cmac", "gmac"])
def test_a_load_of_reads_is_served_and_counted(target: Target, signing: Signing) -> None:
    with LoadClient(target, "load.bin", connections=2, signing=signing) as client:
        client.fill(SIZE)

        figures = client.run(READS, seconds=0.1)

    assert figures.operations > 0
    assert figures.transferred == 4096 * figures.operations
    assert len(figures.latencies) == figures.operations


@pytest.mark.parametrize("signing", ["off", "cmac", "gmac"])
def test_what_a_load_of_writes_sends_is_in_the_file(
    target: Target, tmp_path: Path, signing: Signing
) -> None:
    work = Work("write", SIZE, depth=2, at_random=False, file_size=SIZE)
    with LoadClient(target, "load.bin", signing=signing) as client:
        figures = client.run(work, seconds=0.1)

    content = (tmp_path / "load.bin").read_bytes()
    assert figures.transferred == SIZE * figures.operations
    assert len(content) == SIZE
    assert len(set(content)) == 256


def test_reading_a_file_that_is_too_short_says_so(target: Target) -> None:
    with (
        LoadClient(target, "empty.bin") as client,
        pytest.raises(LoadError, match="the file is too short"),
    ):
        client.run(READS, seconds=0.1)


def test_a_wrong_password_is_an_error(target: Target) -> None:
    with pytest.raises(LoadError, match="0xc000006d"):
        LoadClient(Target(target.port, password="wrong"), "load.bin")
