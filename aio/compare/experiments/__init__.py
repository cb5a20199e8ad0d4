"""Small direct trials of the kernel, for facts that no workload shows.

Each is a function of a Ground and gives flat figures: counts, and microseconds where the name ends
with _us.  An experiment that a volume cannot have gives {"reason": ...}.
"""

from collections.abc import Callable, Mapping
from contextlib import nullcontext

from aio.compare.experiments.crowded import full_queue_by_engine
from aio.compare.experiments.docker import seccomp
from aio.compare.experiments.ground import Found, Ground
from aio.compare.experiments.metadata import cold_metadata
from aio.compare.experiments.queues import full_queue, slow_full_queue
from aio.compare.experiments.reads import o_nonblock, rwf_nowait
from aio.compare.experiments.submits import io_submit
from aio.compare.experiments.writes import dirty_limit, partial_page
from aio.compare.study import CannotRun
from aio.compare.volumes.failure import VolumeError

__all__ = ["EXPERIMENTS", "Found", "Ground", "run"]

Experiment = Callable[[Ground], Found]

EXPERIMENTS: Mapping[str, Experiment] = {
    "o_nonblock": o_nonblock,
    "rwf_nowait": rwf_nowait,
    "rwf_nowait, full queue": full_queue,
    "rwf_nowait, full queue of a slow device": slow_full_queue,
    "engines, full queue of a slow device": full_queue_by_engine,
    "rwf_nowait, cold metadata": cold_metadata,
    "io_submit": io_submit,
    "partial_page": partial_page,
    "dirty_limit": dirty_limit,
    "seccomp": seccomp,
}


# These must fill a device's queue, which a throttle would prevent, or have a slow device of their
# own.
_AT_ANOTHER_PACE = {full_queue, slow_full_queue, full_queue_by_engine, cold_metadata}


def run(experiment: Experiment, ground: Ground) -> Found:
    """One experiment, or the reason why it cannot be made here."""
    try:
        with nullcontext() if experiment in _AT_ANOTHER_PACE else ground.throttled():
            return experiment(ground)
    except (CannotRun, VolumeError) as error:
        return {"reason": str(error)}
    except OSError as error:
        return {"reason": error.strerror or str(error)}
