"""What the document says of the machine, from what /proc and /sys say, or do not."""

import os
import re
from pathlib import Path

import pytest

from aio.compare import machine

FILES = {
    "proc/cpuinfo": "processor : 0\nmodel name\t: Some CPU\nflags\t\t: fpu hypervisor sse\n",
    "proc/meminfo": (
        "MemTotal:       24684100 kB\nMemAvailable:    2097152 kB\nSwapTotal:       1048576 kB\n"
    ),
    "proc/self/status": "Name:\tpython\nSeccomp:\t2\nSeccomp_filters:\t1\n",
    "proc/self/mountinfo": "31 23 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
    "proc/vmstat": "nr_dirty_threshold 262144\n",
    "proc/sys/vm/dirty_ratio": "20\n",
    "proc/sys/vm/dirty_background_ratio": "10\n",
    "proc/sys/vm/dirty_expire_centisecs": "3000\n",
    "proc/sys/kernel/io_uring_disabled": "2\n",
    "proc/loadavg": "0.50 0.25 0.10 1/200 12345\n",
    "sys/kernel/mm/transparent_hugepage/enabled": "always [madvise] never\n",
    "sys/class/dmi/id/sys_vendor": "QEMU\n",
    "sys/class/dmi/id/product_name": "Standard PC\n",
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "powersave\n",
    "run/.containerenv": "",
}


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def test_a_machine_is_described_in_an_order_that_is_the_same_everywhere(tmp_path: Path) -> None:
    here, nothing = machine.describe(), machine.describe(tmp_path)
    assert list(here) == list(nothing)
    assert list(here)[:4] == ["kernel", "machine", "CPU", "memory"]
    assert here["kernel"].startswith("Linux ")
    assert all(here.values())
    assert re.fullmatch(r"\w+ 3\.\d+\.\d+\w* \(\d+ ns a call of a method\)", here["Python"])
    for engine in ("sync", "threads", "libaio", "uring", "RWF_NOWAIT", "mincore"):
        assert here[engine].startswith(("yes: ", "no: "))


def test_what_is_there_is_told_in_words(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    found = machine.describe(tmp_path)
    assert found["CPU"].startswith("Some CPU, ")
    assert found["CPU"].endswith(", governor powersave")
    assert found["memory"] == "23.5 GiB"
    assert found["memory available"] == "2.0 GiB"
    assert found["swap"] == "1.0 GiB"
    assert found["io_uring allowed"] == "for nobody"
    assert found["seccomp"] == "filter"
    assert found["virtualisation"] == "virtual machine (QEMU Standard PC)"
    assert found["container"] == "Podman"
    assert found["control groups"] == "version 2"
    assert found["dirty limit"] == "1.00 GiB"
    assert found["dirty ratios"] == "dirty_background_ratio 10, dirty_ratio 20"
    assert found["written back after"] == "30 s"
    assert found["huge pages"] == "madvise"
    assert found["load"] == "0.50 0.25 0.10"


def test_what_cannot_be_read_is_unknown(tmp_path: Path) -> None:
    found = machine.describe(tmp_path)
    for label in ("memory", "swap", "seccomp", "dirty limit", "written back after", "huge pages"):
        assert found[label] == "unknown"
    assert found["container"] == "none seen"
    assert found["virtualisation"] == "unknown"
    assert found["control groups"] == "none mounted with block I/O"


@pytest.mark.parametrize(
    ("mounts", "told"),
    [
        (
            "31 1 0:28 / /a rw - cgroup2 cgroup2 rw\n32 1 0:29 / /b rw - cgroup cgroup rw,blkio\n",
            "version 1 for block I/O",
        ),
        ("32 1 0:29 / /b rw - cgroup cgroup rw,memory\n", "none mounted with block I/O"),
    ],
)
def test_the_version_is_that_of_the_block_io_controller(
    mounts: str, told: str, tmp_path: Path
) -> None:
    write(tmp_path, {"proc/self/mountinfo": mounts})
    assert machine.describe(tmp_path)["control groups"] == told


def test_a_machine_of_ones_own_without_swap(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "proc/cpuinfo": "flags : fpu sse\n",
            "proc/meminfo": "SwapTotal: 0 kB\n",
            ".dockerenv": "",
        },
    )
    found = machine.describe(tmp_path)
    assert found["virtualisation"] == "none seen"
    assert found["container"] == "Docker"
    assert found["swap"] == "none"


def test_the_machines_limit_is_told_in_bytes(tmp_path: Path) -> None:
    assert machine.machine_dirty_limit(tmp_path) is None
    (tmp_path / "vmstat").write_text("nr_dirty 4\n")
    assert machine.machine_dirty_limit(tmp_path) is None
    (tmp_path / "vmstat").write_text(
        "nr_dirty 4\nnr_dirty_threshold 1000\nnr_dirty_background_threshold 500\n"
    )
    assert machine.machine_dirty_limit(tmp_path) == 1000 * os.sysconf("SC_PAGESIZE")
