"""The facts about this machine that bear on the figures."""

import os
import platform
import re
import timeit
from importlib.metadata import version
from mmap import PAGESIZE
from pathlib import Path

import aio
from aio.compare.mount_table import parse_mounts

_SECCOMP = {"0": "off", "1": "strict", "2": "filter"}
_URING = {"0": "for all", "1": "for its group alone", "2": "for nobody"}
_UNKNOWN = "unknown"


def describe(root: Path = Path("/")) -> dict[str, str]:
    """Label -> value, in the order that they are shown in.

    A file that is missing under `root`, as in containers, makes a value "unknown".
    """
    proc, sys = root / "proc", root / "sys"
    return {
        "kernel": f"{platform.system()} {platform.release()}",
        **_hardware(proc, sys),
        "Python": _interpreter(),
        **{package: version(package) for package in ("trio", "cffi")},
        **{offer.name: _offered(offer) for offer in aio.offers()},
        "io_uring allowed": _choice(_URING, _read(proc / "sys/kernel/io_uring_disabled")),
        "seccomp": _choice(_SECCOMP, _value(proc / "self/status", "Seccomp")),
        "virtualisation": _virtualisation(root),
        "container": _container(root),
        "control groups": _control_groups(proc),
        "user id": str(os.geteuid()),
        **_writing_back(proc),
        "huge pages": _chosen(sys / "kernel/mm/transparent_hugepage/enabled"),
        "load": " ".join(_read(proc / "loadavg").split()[:3]) or _UNKNOWN,
    }


def machine_dirty_limit(proc: Path = Path("/proc")) -> int | None:
    """Bytes that may be dirty before writers are made to wait; None where /proc does not say."""
    pages = _value(proc / "vmstat", "nr_dirty_threshold")
    return int(pages) * PAGESIZE if pages else None


def _hardware(proc: Path, sys: Path) -> dict[str, str]:
    model = _value(proc / "cpuinfo", "model name") or platform.machine()
    usable, all_of_them = len(os.sched_getaffinity(0)), os.cpu_count()
    some = f" of {all_of_them}" if usable != all_of_them else ""
    governor = _read(sys / "devices/system/cpu/cpu0/cpufreq/scaling_governor")
    meminfo = proc / "meminfo"
    swap = _value(meminfo, "SwapTotal")
    return {
        "machine": platform.machine(),
        "CPU": f"{model}, {usable}{some} usable" + (f", governor {governor}" if governor else ""),
        "memory": _size(_value(meminfo, "MemTotal")),
        "memory available": _size(_value(meminfo, "MemAvailable")),
        "swap": "none" if swap == "0 kB" else _size(swap),
    }


_STEP = """
class Step:
    __slots__ = ("one",)
    def add(self, other):
        return self.one + other
step = Step()
step.one = 1
"""


def _interpreter() -> str:
    """Its version and its speed: builds of one version differ by half, with and without PGO."""
    version = f"{platform.python_implementation()} {platform.python_version()}"
    calls = 50_000
    seconds = min(timeit.repeat("step.add(7)", _STEP, repeat=9, number=calls))
    return f"{version} ({seconds / calls * 1e9:.0f} ns a call of a method)"


def _offered(offer: aio.Offer) -> str:
    return f"{'yes' if offer.available else 'no'}: {offer.reason}"


def _virtualisation(root: Path) -> str:
    names = (_read(root / "sys/class/dmi/id" / name) for name in ("sys_vendor", "product_name"))
    product = " ".join(name for name in names if name)
    flags = _value(root / "proc/cpuinfo", "flags")
    if not flags:  # not an x86, and no other machine tells here
        return product or _UNKNOWN
    found = "virtual machine" if "hypervisor" in flags.split() else "none seen"
    return f"{found} ({product})" if product else found


def _container(root: Path) -> str:
    for file, name in ((".dockerenv", "Docker"), ("run/.containerenv", "Podman")):
        if (root / file).exists():
            return name
    return "none seen"


def _control_groups(proc: Path) -> str:
    found = [
        "version 2" if mount.kind == "cgroup2" else "version 1"
        for mount in parse_mounts(_read(proc / "self/mountinfo"))
        if mount.kind == "cgroup2" or (mount.kind == "cgroup" and "blkio" in mount.options)
    ]
    if "version 1" in found:  # one hierarchy alone can have the controller
        return "version 1 for block I/O"
    return found[0] if found else "none mounted with block I/O"


def _writing_back(proc: Path) -> dict[str, str]:
    limit = machine_dirty_limit(proc)
    expire = _read(proc / "sys/vm/dirty_expire_centisecs")
    return {
        "dirty limit": _UNKNOWN if limit is None else f"{limit / (1 << 30):.2f} GiB",
        "dirty ratios": ", ".join(
            f"{name} {_read(proc / 'sys/vm' / name) or _UNKNOWN}"
            for name in ("dirty_background_ratio", "dirty_ratio")
        ),
        "written back after": f"{int(expire) / 100:g} s" if expire else _UNKNOWN,
    }


def _size(text: str) -> str:
    """/proc/meminfo's "12345 kB"."""
    kibibytes = text.partition(" ")[0]
    return f"{int(kibibytes) / (1 << 20):.1f} GiB" if kibibytes else _UNKNOWN


def _value(file: Path, name: str) -> str:
    """The first "name: value" or "name value" of a file in /proc."""
    found = re.search(rf"^{re.escape(name)}(?:\s*:\s*| )(.*)$", _read(file), re.MULTILINE)
    return found[1].strip() if found else ""


def _choice(names: dict[str, str], value: str) -> str:
    return names.get(value, value or _UNKNOWN)


def _chosen(file: Path) -> str:
    """The one in brackets: "always [madvise] never"."""
    return _read(file).partition("[")[2].partition("]")[0] or _UNKNOWN


def _read(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError:
        return ""
