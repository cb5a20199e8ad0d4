"""A full device queue, and clients that find their data in the page cache: engine by engine.

Where the kernel waits for room in the device's queue although it was told not to, a loop that
asks it stands still, and with it every client.
"""

from aio.compare.bare import BareLayer
from aio.compare.experiments.devices import await_full
from aio.compare.experiments.ground import Found, Ground
from aio.compare.experiments.queues import SLOW, slow_device
from aio.compare.forms import form_named
from aio.compare.study import CannotRun
from aio.compare.workloads import workload_named

FORMS = ("threads", "nowait+threads", "uring", "nowait+uring", "libaio direct")
_BESIDE = "hits 4 KiB x1 beside 16 misses"


def full_queue_by_engine(ground: Ground) -> Found:
    """Hits beside misses on a slow device, while other readers keep its queue full.

    The first tenth of each run does not count: in it the probe may find out that it waits.
    """
    found: Found = dict(SLOW)
    with slow_device(ground) as (files, queue):
        layer = BareLayer(files)
        for name in FORMS:
            await_full(queue)
            try:
                run = layer.run(form_named(name), workload_named(_BESIDE), 2 * ground.seconds)
            except CannotRun:  # no such engine here
                continue
            figures = run.summary()
            found |= {
                f"{name}, hits_median_us": figures["p50_us"],
                f"{name}, stall_us": figures["stall_us"],
                f"{name}, misses_per_s": figures["others_per_s"],
                f"{name}, probes_slept": run.stats["slept"],
            }
    return found
