"""How much may be dirty on one device before its writers are made to wait."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from aio.compare.volumes.failure import VolumeError

_SYS = Path("/sys")


def find_bdi(number: str, sys: Path = _SYS) -> Path | None:
    """The folder of a block device's dirty limits, if they can be set (Linux 6.2).

    btrfs, which may be on many devices, has its own.
    """
    name = (sys / "dev/block" / number).resolve().name
    btrfs = (each.parent.parent / "bdi" for each in (sys / "fs/btrfs").glob(f"*/devices/{name}"))
    bdi = next(btrfs, sys / "class/bdi" / number)
    return bdi if (bdi / "strict_limit").is_file() and (bdi / "max_bytes").is_file() else None


@contextmanager
def dirty_limit(bdi: Path, limit: int) -> Iterator[None]:
    """Allow no more than `limit` dirty bytes there; before, it was a share of the machine's limit.

    The first writer waits at three quarters of it (measured; twice of it where the device is an
    image that is cached once more).
    """
    strict, ratio = bdi / "strict_limit", bdi / "max_ratio_fine"
    before = strict.read_text(), ratio.read_text()
    try:
        _set(bdi, limit)
        yield
    finally:
        strict.write_text(before[0])
        ratio.write_text(before[1])


def _set(bdi: Path, limit: int) -> None:
    try:
        (bdi / "max_bytes").write_text(str(limit))
        (bdi / "strict_limit").write_text("1")
    except OSError as error:  # EINVAL: it is more than the machine's
        raise VolumeError(f"no dirty limit of {limit >> 20} MiB: {error.strerror}") from error


def forget_limits(sys: Path = _SYS) -> None:
    """Lift the limits that a killed study left: they outlive the image of a loop device.

    No other program sets limits on a loop device without an image.
    """
    for device in (sys / "block").glob("loop*"):
        with suppress(OSError):  # a container may only read them
            bdi = find_bdi((device / "dev").read_text().strip(), sys)
            if (
                bdi
                and not (device / "loop").is_dir()
                and (bdi / "strict_limit").read_text() != "0\n"
            ):
                (bdi / "strict_limit").write_text("0")
                (bdi / "max_ratio").write_text("100")
