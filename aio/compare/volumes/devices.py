"""The device below a folder, in words, with the kernel's facts about it."""

import os
import stat
from pathlib import Path

from aio.compare.mount_table import Mount, mount_of

_DEVICES = Path("/sys/dev/block")


def device_below(folder: Path) -> str:
    """ "/dev/vda1 (not rotational, scheduler none, 128 requests, read-ahead 128 KiB)", say.

    OSError: there is no such folder.
    """
    mount = mount_of(folder)
    if mount is None:
        return "unknown"
    if mount.kind == "overlay":
        return _overlay(mount)
    number = _number(mount)
    return "no block device" if number is None else block_device(number)


def block_device(number: str, devices: Path = _DEVICES) -> str:
    """The facts in /sys about the block device MAJOR:MINOR."""
    device = (devices / number).resolve()
    disk = device if (device / "queue").is_dir() else device.parent  # a partition has none
    facts = ", ".join(_queue(disk / "queue"))
    below = ", ".join(_names(device / "slaves"))
    parts = (f"/dev/{device.name}", facts and f" ({facts})", below and f" on {below}")
    return "".join(parts) + _image(device)


def device_number(name: str) -> str | None:
    """MAJOR:MINOR of a block device's name; None if it is none, or not visible here."""
    try:
        found = Path(name).stat()
    except OSError:
        return None
    if not stat.S_ISBLK(found.st_mode):
        return None
    return f"{os.major(found.st_rdev)}:{os.minor(found.st_rdev)}"


def _overlay(mount: Mount) -> str:
    upper = mount.option("upperdir")
    if upper is None:
        return "overlayfs that cannot be written"
    try:
        return f"overlayfs over {device_below(Path(upper))}"
    except OSError:  # a container's upper layer is outside of the container
        return "overlayfs over a file system that is not visible here"


def _number(mount: Mount) -> str | None:
    """MAJOR:MINOR of a mount's device; btrfs has none of its own, but names it."""
    return device_number(mount.source) if mount.device.startswith("0:") else mount.device


def _image(device: Path) -> str:
    """Where a loop device's data is; empty for any other device."""
    image = _read(device / "loop/backing_file")
    if not image:
        return ""
    way = "by direct I/O" if _read(device / "loop/dio") == "1" else "cached there once more"
    folder = Path(image).parent
    try:
        below = device_below(folder)
    except OSError:  # mounted where this process does not see it
        below = "an unknown device"
    return f", an image in {folder}, {way}, on {below}"


def _queue(queue: Path) -> list[str]:
    rotational, read_ahead = _read(queue / "rotational"), _read(queue / "read_ahead_kb")
    scheduler, requests = _read(queue / "scheduler"), _read(queue / "nr_requests")
    chosen = scheduler.partition("[")[2].partition("]")[0] or scheduler
    facts = (
        {"0": "not rotational", "1": "rotational"}.get(rotational, ""),
        chosen and f"scheduler {chosen}",
        requests and f"{requests} requests",
        read_ahead and f"read-ahead {read_ahead} KiB",
    )
    return [fact for fact in facts if fact]


def _names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir()) if folder.is_dir() else []


def _read(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError:
        return ""
