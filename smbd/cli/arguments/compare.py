"""The arguments of `tsmbd compare`."""

from pathlib import Path
from typing import Any


def add_compare(commands: Any) -> None:
    """Add `tsmbd compare`."""
    compare = commands.add_parser(
        "compare",
        help="measure every way to read and write files, on this machine's file systems",
        description="Measure each engine, with and without the page-cache probe, alone and behind "
        "the real server, on the file system of DIR (default: the current folder). It prints a "
        "table, and writes all figures to NAME.json and a report to NAME.html. Files of 300 MiB "
        "are made in DIR, and removed. Ctrl-C ends it and keeps what was measured.",
    )
    compare.add_argument(
        "directory", metavar="DIR", nargs="?", type=Path, help="(default: the current folder)"
    )
    compare.add_argument("--quick", action="store_true", help="one short round: within a minute")
    compare.add_argument(
        "--layer",
        choices=("bare", "served"),
        help="only without the server, or only behind it (default: both)",
    )
    compare.add_argument(
        "--engine",
        action="append",
        metavar="NAME",
        help="only this one; may be given several times (default: all)",
    )
    compare.add_argument(
        "--only",
        metavar="PATTERN",
        default="*",
        help='only workloads with such a name, as in "hits 4 KiB*"',
    )
    compare.add_argument(
        "--rounds", type=int, metavar="N", help="so many rounds (default: 3; 1 with --quick)"
    )
    compare.add_argument(
        "--signing",
        choices=("off", "gmac", "cmac"),
        default="off",
        help="how the client signs its requests (default: off)",
    )
    places = compare.add_argument_group("file systems of its own (root)")
    places.add_argument(
        "--file-systems",
        metavar="LIST",
        help="make these, measure on each, remove them: ext4,xfs,btrfs,tmpfs,overlayfs",
    )
    places.add_argument(
        "--slow-disk",
        type=int,
        metavar="IOPS",
        help="make an ext4 that reads so many times a second, and measure on it",
    )
    output = compare.add_argument_group("output")
    output.add_argument(
        "--output",
        metavar="NAME",
        type=Path,
        default=Path("smbd-compare"),
        help="write NAME.json and NAME.html (default: smbd-compare)",
    )
    output.add_argument("--full", action="store_true", help="print every figure")
    output.add_argument(
        "--from",
        dest="document",
        type=Path,
        metavar="FILE",
        help="measure nothing: print and write the report of this NAME.json",
    )
