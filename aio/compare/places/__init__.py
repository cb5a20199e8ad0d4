"""Where the study measures: a folder of the user's, or file systems of its own (root).

    with made_place("ext4", Path("/var/tmp"), reads_per_second=200) as place:
        with place.throttled():
            ...

All that the study makes is gone afterwards, however it ends: see `making` and `groups`.
"""

from aio.compare.machine import machine_dirty_limit
from aio.compare.places.failure import PlaceError
from aio.compare.places.making import own_mount_namespace
from aio.compare.places.opening import KINDS, OpenPlace, made_place, user_place

__all__ = [
    "KINDS",
    "OpenPlace",
    "PlaceError",
    "machine_dirty_limit",
    "made_place",
    "own_mount_namespace",
    "user_place",
]
