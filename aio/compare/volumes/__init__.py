"""Volumes, to measure on: a folder of the user's, or file systems of the study's own (root).

    with made_volume("ext4", Path("/var/tmp"), reads_per_second=200) as volume:
        with volume.throttled():
            ...

All that the study makes is gone afterwards, however it ends: see `making` and `groups`.
"""

from aio.compare.machine import machine_dirty_limit
from aio.compare.volumes.failure import VolumeError
from aio.compare.volumes.making import own_mount_namespace
from aio.compare.volumes.opening import KINDS, OpenVolume, made_volume, user_volume

__all__ = [
    "KINDS",
    "OpenVolume",
    "VolumeError",
    "machine_dirty_limit",
    "made_volume",
    "own_mount_namespace",
    "user_volume",
]
