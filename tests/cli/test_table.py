"""Figures in the terminal are short, aligned and have their unit."""

import pytest

from smbd.cli.table import in_bytes, in_seconds, table


def test_text_stands_left_and_figures_right() -> None:
    rows = [["a", "sync", "1"], ["music", "x", "1000"]]
    assert table(["share", "engine", "hits"], rows, left=2) == (
        "share  engine  hits\n"
        "a      sync       1\n"
        "music  x       1000"
    )  # fmt: skip


def test_a_table_without_rows_is_its_header() -> None:
    assert table(["a", "b"], []) == "a  b"


@pytest.mark.parametrize(
    ("count", "written"),
    [
        (0, "0"),
        (999, "999"),
        (2000, "1.95 KiB"),
        (65536, "64.0 KiB"),
        (64 << 20, "64.0 MiB"),
        (3 << 30, "3.00 GiB"),
        (5 << 40, "5.00 TiB"),
    ],
)
def test_bytes(count: int, written: str) -> None:
    assert in_bytes(count) == written


@pytest.mark.parametrize(
    ("duration", "written"),
    [
        (0, "0"),
        (4.2e-6, "4.2 us"),
        (0.013, "13.0 ms"),
        (2.5, "2.5 s"),
        (180, "3 min"),
        (9000, "2.5 h"),
    ],
)
def test_seconds(duration: float, written: str) -> None:
    assert in_seconds(duration) == written
