"""Each claim, on documents made for it: figures that flip must flip what is said."""

from collections.abc import Mapping
from typing import Any

import pytest

from aio.compare.claims import Finding
from aio.compare.document import Volume
from aio.compare.figures import Figures
from tests.compare.measured import (
    HITS,
    MANY_HITS,
    MANY_MISSES,
    MISSES,
    NOWAIT,
    calls,
    judged,
    put,
    run,
    volume,
)

ALONE, BESIDE = "hits 4 KiB x1 alone", "hits 4 KiB x1 beside 16 misses"

# --- 0 --------------------------------------------------------------------------------------------


def test_o_nonblock_changes_nothing_as_long_as_no_read_is_refused() -> None:
    where = volume()
    where.experiments["o_nonblock"] = {"eagain": 0, **calls("with", 90), **calls("without", 91)}
    finding = judged("0a", where)
    assert finding.holds == "yes"
    assert "90 us" in finding.sentence
    assert "91 us" in finding.sentence
    where.experiments["o_nonblock"]["eagain"] = 3
    assert judged("0a", where).holds == "no"


def with_probes(idle: int, **others: Mapping[str, Any]) -> Volume:
    where = volume()
    where.experiments["rwf_nowait"] = calls("cold", 8, slept=idle)
    for name, found in others.items():
        where.experiments[f"rwf_nowait, {name.replace('_', ' ')}"] = dict(found)
    return where


def queue(slept: int, *, most: int = 4) -> dict[str, Any]:
    return {
        "others": 64,
        "queue_depth": 4,
        "most_in_queue": most,
        **calls("probe", 100_000, count=5, slept=slept),
        **calls("read", 90_000, count=5, slept=5),
    }


def test_a_probe_never_waits_unless_one_was_seen_to_wait() -> None:
    assert judged("0b", with_probes(0)).holds == "yes"
    assert judged("0b", with_probes(60)).holds == "no"
    assert judged("0b", with_probes(0, full_queue=queue(0))).holds == "yes"
    finding = judged("0b", with_probes(0, full_queue=queue(2)))
    assert finding.holds == "partly"
    assert "2 of 5 refused probes waited, up to 300 ms" in finding.sentence
    slow = with_probes(0, full_queue_of_a_slow_device={"reads_per_second": 500, **queue(1)})
    assert judged("0b", slow).holds == "partly"
    pieces = {"extents": 2048, **calls("probe", 50, slept=1)}
    assert judged("0b", with_probes(0, cold_metadata=pieces)).holds == "partly"
    pieces["probe_slept"] = 0
    assert judged("0b", with_probes(0, cold_metadata=pieces)).holds == "yes"


def test_a_queue_that_was_not_full_says_nothing() -> None:
    assert judged("0b", with_probes(0, full_queue=queue(2, most=3))).holds == "yes"


def test_the_probe_has_noticed_if_the_loop_turned_nevertheless() -> None:
    where = volume()
    found = {"others": 64, "reads_per_second": 500, "uring, stall_us": 1_200_000.0}
    where.experiments["engines, full queue of a slow device"] = found
    assert judged("0c", where).holds == "not measured"
    found["nowait+threads, stall_us"] = 4_000.0
    finding = judged("0c", where)
    assert finding.holds == "yes"
    assert "4 ms with nowait+threads, 1.2 s with uring" in finding.sentence
    found["nowait+threads, stall_us"] = 120_000.0
    assert judged("0c", where).holds == "no"


# --- 1 --------------------------------------------------------------------------------------------


def probed() -> Volume:
    where = volume()
    for form in (NOWAIT, "sync"):
        put(where, MANY_HITS, form, run(cpu=12))
    for form in (NOWAIT, "threads"):
        put(where, MISSES, form, run(p50=300, cpu=120, hops=1))
    return where


def test_the_probe_costs_what_sync_and_threads_cost() -> None:
    assert judged("1", probed()).holds == "yes"


@pytest.mark.parametrize(
    ("workload", "figures"),
    [
        (MANY_HITS, run(cpu=20)),
        (MANY_HITS, run(cpu=12, hops=0.5)),
        (MISSES, run(p50=500, cpu=120)),
        (MISSES, run(p50=300, cpu=200)),
    ],
    ids=["dear hits", "hits in workers", "late misses", "dear misses"],
)
def test_the_probe_costs_more(workload: str, figures: Figures) -> None:
    where = probed()
    put(where, workload, NOWAIT, figures)
    assert judged("1", where).holds == "partly"


# --- 2 and 7 --------------------------------------------------------------------------------------


def mixed(form: str, alone: float, beside: float, rate: int | None = 200) -> Volume:
    where = volume(reads_per_second=rate)
    put(where, ALONE, form, run(p99=alone))
    put(where, BESIDE, form, run(p99=beside, stall=beside, others=180))
    return where


def test_blocking_delays_others() -> None:
    where = mixed("sync", 150, 98_000)
    finding = judged("2", where)
    assert finding.holds == "yes"
    assert "at 180/s: " in finding.sentence
    assert "from 150 us to 98 ms" in finding.sentence
    assert judged("2", mixed("sync", 150, 160)).holds == "no"


def test_blocking_delays_others_at_some_rates_of_misses() -> None:
    where = mixed("sync", 150, 98_000)
    put(where, "hits 4 KiB x1 beside 1 miss", "sync", run(p99=155, others=20))
    assert judged("2", where).holds == "partly"


def test_without_a_run_of_hits_alone_any_hits_are_the_idle_ones() -> None:
    where = mixed("sync", 150, 98_000)
    where.measurements = [each for each in where.measurements if each.workload != ALONE]
    assert judged("2", where).holds == "not measured"
    put(where, HITS, "sync", run(p99=150))
    assert judged("2", where).holds == "yes"


def test_the_probe_keeps_hits_fast_on_a_slow_disk() -> None:
    assert judged("7", mixed(NOWAIT, 150, 900)).holds == "yes"  # below 1 ms
    assert judged("7", mixed(NOWAIT, 800, 1500)).holds == "yes"  # within twice the idle one
    assert judged("7", mixed(NOWAIT, 150, 1100)).holds == "no"
    assert judged("7", mixed(NOWAIT, 800, 1700)).holds == "no"
    assert judged("7", mixed(NOWAIT, 150, 900, rate=None)).holds == "not measured"


def test_what_sync_makes_of_it_is_told() -> None:
    where = mixed(NOWAIT, 150, 900)
    put(where, BESIDE, "sync", run(p99=98_000, others=180))
    assert "; with sync 98 ms" in judged("7", where).sentence


# --- 3 and 4 --------------------------------------------------------------------------------------


def with_io_submit(name: str, done: float) -> Volume:
    where = volume()
    where.experiments["io_submit"] = {
        **calls(name, 1400),
        f"{name}_done_at_return": done,
        **calls("pread_cold", 1300),
    }
    return where


def test_io_submit_blocks_for_buffered_files() -> None:
    finding = judged("3", with_io_submit("buffered_cold", 1.0))
    assert finding.holds == "yes"
    assert "16 preads took 1.3 ms" in finding.sentence
    assert judged("3", with_io_submit("buffered_cold", 0.5)).holds == "no"
    assert judged("3", with_io_submit("buffered_cached", 1.0)).holds == "yes"


def test_io_submit_blocks_the_loop_of_an_engine() -> None:
    where = volume()
    put(where, MANY_MISSES, "libaio", run(submit_seconds=0.9))
    assert judged("3", where).holds == "yes"
    put(where, MANY_MISSES, "libaio", run(submit_seconds=0.1))
    assert judged("3", where).holds == "no"
    put(where, MANY_MISSES, "libaio", run())  # an engine that does not tell
    assert judged("3", where).holds == "not measured"


def test_libaio_is_asynchronous_with_o_direct_and_has_its_price() -> None:
    where = with_io_submit("direct_cold", 0.02)
    assert judged("4", where).holds == "yes"
    put(where, HITS, "libaio direct", run(p50=300))
    put(where, HITS, "sync", run(p50=100))
    assert judged("4", where).holds == "yes"
    put(where, HITS, "libaio direct", run(p50=100))  # a price that nobody pays
    assert judged("4", where).holds == "partly"
    assert judged("4", with_io_submit("direct_cold", 0.9)).holds == "no"


def test_the_price_alone_does_not_make_it_asynchronous() -> None:
    where = volume()
    where.experiments["io_submit"] = {"direct_reason": "no O_DIRECT here"}
    put(where, HITS, "libaio direct", run(p50=300))
    put(where, HITS, "sync", run(p50=100))
    assert judged("4", where) == Finding("not measured", "no O_DIRECT here.")


def test_libaio_with_o_direct_leaves_the_loop_alone() -> None:
    where = volume()
    put(where, MANY_MISSES, "libaio direct", run(submit_seconds=0.1))
    assert judged("4", where).holds == "yes"
    put(where, MANY_MISSES, "libaio direct", run(submit_seconds=0.9))
    assert judged("4", where).holds == "no"


# --- 5 --------------------------------------------------------------------------------------------


def written() -> Volume:
    where = volume()
    put(where, "writes 4 KiB x16", "sync", run(rate=9_500))
    put(where, "writes 4 KiB x16", "threads", run(rate=4_000))
    put(where, "writes 4 KiB x16", "uring", run(rate=10_000))
    where.experiments["dirty_limit"] = {
        **calls("below", 200, count=32),
        "beyond_mib": 31,
        "beyond_pauses": 5,
        "beyond_max_us": 12_000.0,
        "first_pause_after_mib": 15,
    }
    where.experiments["partial_page"] = {
        **calls("cold_part", 100, slept=100),
        "cold_part_bytes_read": 4096.0,
        **calls("cached_part", 4),
        "cached_part_bytes_read": 0.0,
        **calls("cold_whole", 4),
        "cold_whole_bytes_read": 0.0,
    }
    return where


def test_asynchronous_writing_is_pointless_below_the_limit() -> None:
    finding = judged("5", written())
    assert finding.holds == "yes"
    assert "5 times in 31 MiB, for up to 12 ms, first after 15 MiB" in finding.sentence


@pytest.mark.parametrize(
    ("experiment", "figure", "value"),
    [
        ("dirty_limit", "below_slept", 20),
        ("dirty_limit", "beyond_pauses", 0),
        ("partial_page", "cold_part_bytes_read", 0.0),
        ("partial_page", "cached_part_bytes_read", 4096.0),
        ("partial_page", "cold_whole_bytes_read", 4096.0),
    ],
)
def test_any_part_of_it_may_fail(experiment: str, figure: str, value: float) -> None:
    where = written()
    where.experiments[experiment][figure] = value
    assert judged("5", where).holds == "partly"


def test_asynchronous_writing_that_gains_something_is_not_pointless() -> None:
    where = written()
    put(where, "writes 4 KiB x16", "uring", run(rate=12_000))
    finding = judged("5", where)
    assert finding.holds == "partly"
    assert "12,000/s with an asynchronous engine (uring)" in finding.sentence


# --- 6 --------------------------------------------------------------------------------------------


def beside_uring(hits: float, misses: float, rival: str = "uring") -> Volume:
    """Its operations a second, of 10,000 of the probe's."""
    where = volume()
    for workload, rate in ((HITS, hits), (MISSES, misses)):
        put(where, workload, NOWAIT, run())
        put(where, workload, rival, run(rate=rate))
    return where


def test_io_uring_is_better_where_it_is() -> None:
    assert judged("6a", beside_uring(12_000, 12_000)).holds == "yes"
    assert judged("6a", beside_uring(8_000, 8_000)).holds == "no"
    assert judged("6a", beside_uring(10_200, 9_900)).holds == "no"
    assert judged("6a", beside_uring(12_000, 12_000, "nowait+uring")).holds == "yes"
    finding = judged("6a", beside_uring(8_000, 12_000))
    assert finding.holds == "partly"
    assert "better in misses 4 KiB x1 ops/s (12,000/s against 10,000/s)" in finding.sentence
    assert "worse in hits 4 KiB x1 ops/s (8,000/s against 10,000/s)" in finding.sentence


def test_less_is_better_of_what_it_costs() -> None:
    where = beside_uring(10_000, 10_000)
    put(where, HITS, "uring", run(cpu=30))
    assert judged("6a", where).holds == "yes"
    put(where, HITS, "uring", run(cpu=80))
    assert judged("6a", where).holds == "no"


def test_rounds_that_overlap_make_no_difference() -> None:
    where = beside_uring(10_000, 10_000)
    put(where, HITS, "uring", run(rate=9_000), run(rate=12_000), run(rate=13_000))
    assert "no different" in judged("6a", where).sentence


def test_that_submitting_waits_for_a_full_queue_is_told() -> None:
    where = beside_uring(12_000, 12_000)
    where.experiments["rwf_nowait, full queue of a slow device"] = {
        **queue(5),
        **calls("uring_submit", 70_000, count=5, slept=4),
    }
    assert "4 of 5 submissions waited, up to 210 ms" in judged("6a", where).sentence


def confined(**others: object) -> Volume:
    where = volume()
    where.experiments["seccomp"] = {
        "uring": False,
        "uring_reason": "refused by seccomp",
        "libaio": True,
        "rwf_nowait": True,
        "engine": NOWAIT,
        "pieces": 16,
        "pieces_right": 16,
        **others,
    }
    return where


def test_under_dockers_profile_the_probe_with_threads_does_the_work() -> None:
    assert judged("6b", confined()).holds == "yes"
    assert judged("6b", confined(uring=True, engine="nowait+uring")).holds == "no"
    assert judged("6b", confined(engine="nowait+uring")).holds == "no"
    assert judged("6b", confined(pieces_right=15)).holds == "no"


# --- 8 --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["tmpfs", "overlayfs"])
def test_other_file_systems_hits_are_as_fast_as_ext4s(kind: str) -> None:
    ext4, here = volume(), volume(kind)
    put(ext4, MANY_HITS, NOWAIT, run(cpu=12))
    put(here, MANY_HITS, NOWAIT, run(rate=8_100, cpu=15.9))
    assert judged("8", here, ext4).holds == "yes"
    put(here, MANY_HITS, NOWAIT, run(rate=7_900, cpu=12))
    assert judged("8", here, ext4).holds == "no"
    put(here, MANY_HITS, NOWAIT, run(rate=10_000, cpu=16.1))
    assert judged("8", here, ext4).holds == "no"
    put(ext4, HITS, NOWAIT, run())
    put(here, HITS, NOWAIT, run())
    assert judged("8", here, ext4).holds == "partly"


def test_without_ext4_there_is_nothing_to_compare_with() -> None:
    here = volume("tmpfs")
    put(here, MANY_HITS, NOWAIT, run())
    assert judged("8", here).holds == "not measured"


def test_ext4_on_a_disk_made_slow_is_the_last_to_compare_with() -> None:
    slow, ext4, here = volume(reads_per_second=200), volume(), volume("tmpfs")
    put(slow, MANY_HITS, NOWAIT, run(rate=1_000))
    put(ext4, MANY_HITS, NOWAIT, run())
    put(here, MANY_HITS, NOWAIT, run(rate=5_000))
    assert judged("8", here, slow, ext4).holds == "no"
    assert judged("8", here, slow).holds == "yes"
