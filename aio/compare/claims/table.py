"""The table of claims; each limit stands with its reason."""

from collections.abc import Mapping
from typing import Any

from aio.compare.claims.readings import SUBMITTING
from aio.compare.claims.rows import ALONE, BEST, EXT4, NOWAIT, Claim, Limit, Loads, Row, Trial
from aio.compare.claims.uring import uring_is_better
from aio.compare.forms import FORMS
from aio.compare.workloads import KIB, MIB

# "What it costs", to within what rounds on a shared machine differ by.
_AS_MUCH = 1.15
# The probe itself costs a hit a lookup and a flag, 1 to 2 us (measured).  A refused probe submits
# the read, 7 to 20 us that the worker need not spend again.
_PROBE_US, _REFUSED_US = 2.0, 20.0
# A hit is delayed that takes so many times as long; and a latency beside misses does not matter.
_DELAYED, _LITTLE_US = 2.0, 1000.0
# Of probes and of writes of a MiB: other processes take the CPU now and then.
_NOW_AND_THEN, _HARDLY_ANY = 0.01, 0.1
# us.  A tenth of the throttle's shortest wait: no wait for the device.
_BEARABLE = 10_000.0
# Requests that io_submit did itself; and those that a fast device did meanwhile.
_ALL, _FEW = 0.99, 0.25
# Of the time of misses: io_submit is where the loop waits for the disk.
_MOST = 0.5
# The disk costs a hit at least so many times what the cache does.
_DEARER = 1.25
# What the best asynchronous engine may gain in writes, to within what rounds differ by.
_AS_GOOD = 0.9
# Of ext4's operations a second; and us of CPU more for each.
_SHARE, _MORE_US = 0.8, 4.0

_SLOW_QUEUE = "rwf_nowait, full queue of a slow device"
_SMALL = ((4 * KIB, 1), (4 * KIB, 16))
_MIXES = ("p99_us", "stall_us", "others_per_s")
_MIX_FORMS = ("sync", NOWAIT, "threads", "nowait+uring", "uring")
_NEVER = (Limit("probe_slept", "<="),)


def _queue(name: str, which: str) -> Row:
    calls = {
        "probe": "refused probe",
        "read": "plain read",
        "uring_submit": "submission to io_uring",
        "uring_direct_submit": "submission to io_uring with O_DIRECT",
    }
    shown = tuple(
        (
            f"{name.partition(', ')[2]}, {call}",
            "{%_median_us}, at most {%_max_us}; {%_slept} of {%_count} waited".replace("%", key),
        )
        for key, call in calls.items()
    )
    return Row(
        # A queue that was not full says nothing.
        Trial(name, shown, given=(Limit("most_in_queue", ">=", times=1, of="queue_depth"),)),
        _NEVER,
        f"{which} full (a queue of {{queue_depth}}, {{others}} others reading): {{probe_slept}} of "
        "{probe_count} refused probes waited, up to {probe_max_us}; a plain read up to "
        "{read_max_us}",
        follows=True,
    )


def _io_submit(kind: str, label: str, limit: Limit, also: str = "") -> Row:
    return Row(
        Trial("io_submit", ((f"io_submit of 16 {label}, longest", f"{{{kind}_max_us}}"),)),
        (limit._replace(figure=f"{kind}_done_at_return"),),
        f"16 reads by io_submit ({label}): {{{kind}_median_us}}, {{{kind}_done_at_return}} done at "
        "its return",
        also,
    )


def _worst(found: Mapping[str, Any]) -> Mapping[str, Any]:
    stalls = {key: value for key, value in found.items() if key.endswith(", stall_us")}
    form = max(stalls, key=lambda key: stalls[key], default="")
    return {"worst": form.removesuffix(", stall_us"), "worst_us": stalls.get(form, 0.0)}


def _took_uring(found: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"took_uring": "uring" in found["engine"]}


CLAIMS = (
    Claim(
        "0a",
        "O_NONBLOCK changes nothing for a regular file.",
        (
            Row(
                Trial("o_nonblock"),
                (Limit("eagain", "<="),),
                "{eagain} of {with_count} cold reads failed with EAGAIN; they took "
                "{with_median_us}, without the flag {without_median_us}",
            ),
        ),
    ),
    Claim(
        "0b",
        "A refused read with RWF_NOWAIT has not waited.",
        (
            Row(
                Trial(
                    "rwf_nowait",
                    tuple(
                        (f"refused probe, {words}, {value}", f"{{{kind}_{value}_us}}")
                        for kind, words in (
                            ("cold", "nothing cached"),
                            ("on_its_way", "read on its way"),
                        )
                        for value in ("median", "p99", "max")
                    ),
                ),
                (Limit("cold_slept", "<=", times=_NOW_AND_THEN, of="cold_count"),),
                "idle device: {cold_slept} of {cold_count} refused probes waited; they took "
                "{cold_median_us}, at most {cold_max_us}",
            ),
            _queue("rwf_nowait, full queue", "the device's queue"),
            _queue(_SLOW_QUEUE, "a slow device's queue"),
            Row(
                Trial("rwf_nowait, cold metadata"),
                _NEVER,
                "uncached block map of {extents} extents: {probe_slept} of {probe_count} refused "
                "probes waited, up to {probe_max_us}",
                follows=True,
            ),
        ),
    ),
    Claim(
        "0c",
        "After a probe that waited the event loop goes on turning.",
        (
            Row(
                Trial(
                    "engines, full queue of a slow device",
                    tuple(
                        (f"longest stall, full queue: {form.name}", f"{{{form.name}, stall_us}}")
                        for form in FORMS
                    ),
                    computed=_worst,
                ),
                (Limit(f"{NOWAIT}, stall_us", "<=", _BEARABLE),),
                f"longest stall beside {{others}} readers: {{{NOWAIT}, stall_us}} with {NOWAIT}, "
                "{worst_us} with {worst}",
            ),
        ),
    ),
    Claim(
        "1",
        "Hits of the probe cost what sync costs, its misses what threads costs.",
        (
            Row(
                Loads(
                    "hits",
                    "cached",
                    NOWAIT,
                    "sync",
                    (*_SMALL, (64 * KIB, 16)),
                    ("cpu_us", "hops"),
                    ("sync", "threads"),
                ),
                (
                    Limit("cpu_us", "<=", _PROBE_US, _AS_MUCH),
                    # None, but for a page that was taken away meanwhile.
                    Limit("hops", "<=", 0.02),
                ),
                "{workload}: {own:cpu_us} CPU, {own:hops} hops (sync: {rival:cpu_us})",
            ),
            Row(
                Loads(
                    "misses",
                    "evicted",
                    NOWAIT,
                    "threads",
                    _SMALL,
                    ("p50_us", "cpu_us"),
                    ("threads",),
                ),
                (
                    Limit("cpu_us", "<=", _REFUSED_US, _AS_MUCH),
                    # All of a batch are probed before the first is waited for.
                    Limit("p50_us", "<=", times=_AS_MUCH, each=_REFUSED_US),
                ),
                "{workload}: p50 {own:p50_us}, {own:cpu_us} CPU (threads: {rival:p50_us}, "
                "{rival:cpu_us})",
            ),
        ),
    ),
    Claim(
        "2",
        "One blocking read in the event loop delays every other client.",
        (
            Row(
                Loads("mix", "evicted", "sync", ALONE, shown=_MIXES, beside=_MIX_FORMS),
                (Limit("p99_us", ">=", times=_DELAYED),),
                "{depth} misses in flight, at {own:others_per_s}: a hit's p99 with sync went from "
                "{rival:p99_us} to {own:p99_us}, longest stall {own:stall_us}",
                f"; with {NOWAIT} to {{{NOWAIT}:p99_us}}, at {{{NOWAIT}:others_per_s}}",
            ),
        ),
    ),
    Claim(
        "3",
        "libaio blocks in io_submit on buffered files.",
        (
            *(
                _io_submit(
                    f"buffered_{data}",
                    f"buffered, {data}",
                    Limit("", ">=", _ALL),
                    f"; 16 preads took {{pread_{data}_median_us}}",
                )
                for data in ("cold", "cached")
            ),
            Row(
                Loads(
                    "misses",
                    "evicted",
                    "libaio",
                    points=((4 * KIB, 16),),
                    shown=("stall_us", "ops_per_s"),
                    beside=("sync", "threads"),
                ),
                (Limit(SUBMITTING, ">=", _MOST),),
                "{workload}: {own:submit_share} of the time in io_submit; longest stall "
                "{own:stall_us}",
            ),
        ),
    ),
    Claim(
        "4",
        "libaio with O_DIRECT is asynchronous, but has no cache.",
        (
            _io_submit("direct_cold", "direct", Limit("", "<=", _FEW)),
            Row(
                Loads(
                    "misses",
                    "evicted",
                    "libaio direct",
                    points=((4 * KIB, 16),),
                    shown=("ops_per_s", "stall_us"),
                    beside=("libaio", "threads"),
                ),
                (Limit(SUBMITTING, "<=", _MOST),),
                "{workload}: {own:submit_share} of the time in io_submit",
            ),
            Row(
                Loads(
                    "hits",
                    "cached",
                    "libaio direct",
                    "sync",
                    ((4 * KIB, 1),),
                    ("p50_us",),
                    ("sync",),
                ),
                (Limit("p50_us", ">=", times=_DEARER),),
                "{workload}: p50 {own:p50_us} from the disk, {rival:p50_us} from the cache",
                follows=True,
            ),
        ),
    ),
    Claim(
        "5",
        "Asynchronous writing gains nothing below the dirty limit; beyond it the kernel pauses "
        "writers; a page written in part is read first, unless cached.",
        (
            Row(
                Loads(
                    "writes",
                    "cached",
                    "sync",
                    BEST,
                    ((4 * KIB, 16), (64 * KIB, 16), (MIB, 4)),
                    ("ops_per_s", "stall_us"),
                    ("threads", "libaio", "uring"),
                ),
                (Limit("ops_per_s", ">=", times=_AS_GOOD),),
                "{workload}: {own:ops_per_s} with sync, at most {rival:ops_per_s} with an "
                "asynchronous engine ({rival})",
            ),
            Row(
                Trial("dirty_limit"),
                (Limit("below_slept", "<=", times=_HARDLY_ANY, of="below_count"),),
                "below the limit {below_slept} of {below_count} writes of 1 MiB waited; they took "
                "{below_median_us}",
            ),
            Row(
                Trial("dirty_limit"),
                (Limit("beyond_pauses", ">=", 1),),
                "beyond the limit the writer was paused {beyond_pauses} times in {beyond_mib} MiB, "
                "for up to {beyond_max_us}",
                ", first after {first_pause_after_mib} MiB",
            ),
            Row(
                Trial("partial_page"),
                (
                    Limit("cold_part_bytes_read", ">=", 1),
                    Limit("cached_part_bytes_read", "<="),
                    Limit("cold_whole_bytes_read", "<="),
                ),
                "100 bytes into a cold page: {cold_part_median_us}, {cold_part_bytes_read} bytes "
                "read; a cached page: {cached_part_median_us}, {cached_part_bytes_read}; a whole "
                "cold page: {cold_whole_median_us}, {cold_whole_bytes_read}",
            ),
        ),
    ),
    Claim(
        "6a",
        "io_uring is better than the probe with threads.",
        (
            Row(uring_is_better),
            Row(
                Trial(_SLOW_QUEUE),
                (),
                "full queue: {uring_submit_slept} of {uring_submit_count} submissions waited, up "
                "to {uring_submit_max_us}; of refused probes {probe_slept} of {probe_count}, up to "
                "{probe_max_us}",
            ),
        ),
    ),
    Claim(
        "6b",
        "Docker's default seccomp profile refuses io_uring; the probe with threads takes its "
        "place.",
        (
            Row(
                Trial("seccomp", computed=_took_uring),
                (
                    Limit("uring", "<="),
                    Limit("took_uring", "<="),
                    Limit("pieces_right", ">=", times=1, of="pieces"),
                ),
                "there io_uring works: {uring} ({uring_reason}); nowait+uring,threads became "
                "{engine} and read {pieces_right} of {pieces} pieces right",
            ),
        ),
    ),
    Claim(
        "7",
        "On a slow disk hits of the probe beside misses keep their p99 within twice that of hits "
        "alone, or 1 ms.",
        (
            Row(
                Loads("mix", "evicted", NOWAIT, ALONE, shown=_MIXES, beside=_MIX_FORMS),
                (Limit("p99_us", "<=", times=_DELAYED, floor=_LITTLE_US),),
                "{depth} misses in flight: a hit's p99 {own:p99_us}, alone {rival:p99_us}, allowed "
                "{limits[0]}",
                "; with sync {sync:p99_us}",
            ),
        ),
        slow_disk=True,
    ),
    Claim(
        "8",
        "Served hits on tmpfs and overlayfs reach 80 % of ext4's operations a second, for at most "
        "4 us more CPU each.",
        (
            Row(
                Loads("hits", "cached", NOWAIT, EXT4, shown=("ops_per_s", "cpu_us")),
                (
                    Limit("ops_per_s", ">=", times=_SHARE),
                    Limit("cpu_us", "<=", _MORE_US, times=1),
                ),
                "{workload}: {own:ops_per_s}, {own:cpu_us} CPU (ext4: {rival:ops_per_s}, "
                "{rival:cpu_us})",
            ),
        ),
        layers=("served",),
        file_systems=("tmpfs", "overlayfs"),
    ),
)
