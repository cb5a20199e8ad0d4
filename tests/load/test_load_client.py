"""The load client against our server: that it moves the bytes it counts, signed or not."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

import smbd.testing
from smbd.load import (
    Group,
    LoadClient,
    LoadError,
    Operation,
    Session,
    Signing,
    Target,
    Work,
    at_random,
    in_turn,
)

SIZE = 1 << 20
READS = Work("read", 4096, depth=8, offsets=at_random(4096, SIZE))
SECONDS = 0.3  # in which a busy machine does something, too


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Target]:
    with smbd.testing.serve_in_thread(tmp_path, signing="enabled") as server:
        yield Target(server.port, server.share, server.user, server.password, server.host)


def work(operation: Operation, size: int, *offsets: int) -> Work:
    return Work(operation, size, depth=4, offsets=lambda: iter(offsets))


@pytest.mark.parametrize("signing", ["off", "cmac", "gmac", "sealed"])
def test_a_load_of_reads_is_served_and_counted(target: Target, signing: Signing) -> None:
    with LoadClient(target, [Group(READS, "load.bin", connections=2)], signing) as client:
        client.fill(SIZE)

        (outcome,) = client.run(SECONDS)

    assert outcome.operations > 0
    assert outcome.transferred == 4096 * outcome.operations
    assert len(outcome.latencies) == outcome.operations
    assert 0 < min(outcome.latencies) <= max(outcome.latencies) < outcome.seconds


@pytest.mark.parametrize("signing", ["off", "cmac", "gmac", "sealed"])
def test_what_a_load_of_writes_sends_is_in_the_file(
    target: Target, tmp_path: Path, signing: Signing
) -> None:
    writes = Work("write", SIZE, depth=2, offsets=in_turn(SIZE, SIZE))
    with LoadClient(target, [Group(writes, "load.bin")], signing) as client:
        (outcome,) = client.run(SECONDS)

    content = (tmp_path / "load.bin").read_bytes()
    assert outcome.transferred == SIZE * outcome.operations
    assert len(content) == SIZE
    assert len(set(content)) == 256


def test_a_small_write_goes_to_the_offset_that_it_was_given(target: Target, tmp_path: Path) -> None:
    file = tmp_path / "load.bin"
    file.write_bytes(bytes(16384))
    with LoadClient(target, [Group(work("write", 512, 512, 8704), "load.bin")]) as client:
        client.run(SECONDS)

    content = file.read_bytes()
    written = content[512:1024]
    assert any(written)
    assert content == bytes(512) + written + bytes(7680) + written + bytes(7168)


def test_groups_do_their_own_work_at_the_same_time(target: Target, tmp_path: Path) -> None:
    reads = Group(READS, "read.bin")
    writes = Group(work("write", 65536, 0, 65536), "written.bin", connections=3)
    with LoadClient(target, [reads, writes]) as client:
        client.fill(SIZE)

        read, written = client.run(SECONDS)

    assert read.operations > 0
    assert read.transferred == 4096 * read.operations
    assert written.operations > 0
    assert written.transferred == 65536 * written.operations
    assert (tmp_path / "written.bin").stat().st_size == 131072


def test_an_order_that_is_used_up_begins_anew_when_nothing_is_in_flight(target: Target) -> None:
    in_flight, clients = list[int](), list[LoadClient]()

    def order() -> Iterator[int]:
        in_flight.append(sum(len(stream.sent) for c in clients for stream in c._streams.values()))
        return iter(range(0, SIZE, 4096))

    groups = [
        Group(Work("read", 4096, depth=3, offsets=order), "load.bin", connections=2),
        Group(READS, "load.bin"),
    ]
    with LoadClient(target, groups) as client:
        clients.append(client)
        client.fill(SIZE)

        operations = 0
        while len(in_flight) < 2:  # on a busy machine one run does not use an order up
            in_turn, _ = client.run(0.3)
            operations += in_turn.operations

    assert set(in_flight) == {0}
    # Each order went out whole, but for the last.
    assert (len(in_flight) - 1) * 256 <= operations <= len(in_flight) * 256


def test_a_run_goes_on_where_the_one_before_left_off(target: Target) -> None:
    taken = Counter[int]()

    def order() -> Iterator[int]:
        for offset in range(0, 1 << 40, 4096):
            taken[offset] += 1
            yield offset % SIZE

    reads = Work("read", 4096, depth=4, offsets=order)
    with LoadClient(target, [Group(reads, "load.bin")]) as client:
        client.fill(SIZE)

        (first,), (second,) = client.run(0.01), client.run(0.01)

    assert first.operations + second.operations == len(taken)
    assert set(taken.values()) == {1}


def test_reading_a_file_that_is_too_short_says_so(target: Target) -> None:
    with (
        LoadClient(target, [Group(READS, "empty.bin")]) as client,
        pytest.raises(LoadError, match="the file is too short"),
    ):
        client.run(SECONDS)


def test_a_server_that_ends_is_an_error(tmp_path: Path) -> None:
    with smbd.testing.serve_in_thread(tmp_path, signing="enabled") as server:
        target = Target(server.port, server.share, server.user, server.password)
        client = LoadClient(target, [Group(work("write", 4096, 0), "load.bin")])

    with client, pytest.raises(LoadError, match="closed the connection"):
        client.run(SECONDS)


def test_a_wrong_password_is_an_error(target: Target) -> None:
    wrong = Target(target.port, target.share, target.user, "wrong")
    with pytest.raises(LoadError, match="0xc000006d"):
        LoadClient(wrong, [Group(READS, "load.bin")])


def compounds(operation: Operation, *numbers: int) -> Work:
    return Work(operation, 512, depth=4, offsets=lambda: iter(numbers), folder="few")


@pytest.mark.parametrize("signing", ["off", "gmac", "sealed"])
def test_files_are_made_looked_at_opened_and_deleted(
    target: Target, tmp_path: Path, signing: Signing
) -> None:
    folder, numbers = tmp_path / "few", range(10)
    folder.mkdir()
    names = [f"file-{number:07}" for number in numbers]
    for operation in ("new", "stat", "open", "delete"):
        group = Group(compounds(operation, *numbers), "")
        with LoadClient(target, [group], signing) as client:
            (outcome,) = client.run(10, once=True)

        assert outcome.operations == len(outcome.latencies) == 10
        left = sorted(file.name for file in folder.iterdir())
        assert left == ([] if operation == "delete" else names)
        assert {len(set(file.read_bytes())) > 64 for file in folder.iterdir()} <= {True}
        assert {file.stat().st_size for file in folder.iterdir()} <= {512}


def test_a_compound_that_fails_is_an_error(target: Target) -> None:
    with (
        LoadClient(target, [Group(compounds("stat", 5), "")]) as client,
        pytest.raises(LoadError, match="a stat was answered with 0xc000003a"),
    ):
        client.run(SECONDS)


def test_a_mixed_load_writes_the_share_that_it_was_told(target: Target, tmp_path: Path) -> None:
    file = tmp_path / "load.bin"
    file.write_bytes(bytes(400 * 512))
    order = lambda: iter(range(0, 400 * 512, 512))  # noqa: E731
    mixed = Work("read", 512, depth=4, offsets=order, writes=0.3)
    with LoadClient(target, [Group(mixed, "load.bin")]) as client:
        (outcome,) = client.run(10, once=True)

    content = file.read_bytes()
    written = sum(any(content[at : at + 512]) for at in range(0, len(content), 512))
    assert outcome.operations == 400
    assert 80 < written < 160


@pytest.mark.parametrize("signing", ["off", "sealed"])
def test_a_listing_brings_every_name(target: Target, tmp_path: Path, signing: Signing) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(1000):
        (folder / f"{number}").touch()
    session = Session(target, signing)
    try:
        came = session.listing("many")
        assert came > 1000 * 104
        assert session.listing("many", 1 << 20) > 1000 * 104
    finally:
        session.close()
