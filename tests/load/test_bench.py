"""The benchmark: what it says of figures, and that each row of it can be measured."""

import dataclasses
import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.bench import __main__ as bench
from tests.bench import growth, kernel, measure, page, plots
from tests.bench.bars import Bar, Spread, cost, floor, judged, rate
from tests.bench.curves import CURVES, exponents, grows
from tests.bench.results import Results, slower
from tests.bench.rows import TINY, Row, rows
from tests.bench.stands import standing
from tests.bench.table import amount, number, table
from tests.conformance.servers import CHECKOUT


@pytest.mark.parametrize(
    ("bar", "value", "verdict"),
    [
        (rate(2, 3), 3.0, "aim"),
        (rate(2, 3), 2.99, "bar"),
        (rate(2, 3), 1.99, "short"),
        (cost(0.5, 0.25), 0.25, "aim"),
        (cost(0.5, 0.25), 0.5, "bar"),
        (cost(0.5, 0.25), 0.51, "short"),
        (Bar("KiB", 24, 14, against=""), 20, "bar"),
    ],
)
def test_a_value_reaches_the_aim_the_bar_or_neither(bar: Bar, value: float, verdict: str) -> None:
    assert bar.verdict(value) == verdict


FOUND = {
    "smbd": [
        {"ops_per_s": 30.0, "server_us_per_op": 8.0},
        {"ops_per_s": 10.0},
        {"ops_per_s": 40.0},
    ],
    "samba": [{"ops_per_s": 10.0, "server_us_per_op": 4.0}, {"ops_per_s": 10.0}],
    "floor": [{"server_us_per_op": 0.0}],
}


@pytest.mark.parametrize(
    ("bar", "spread"),
    [
        (rate(1, 2), Spread(2.0, 1.0, 3.0)),  # each round by itself, as far as both have it
        (cost(1, 2), Spread(2.0, 2.0, 2.0)),
        (floor(1, 2), None),  # too little for a clock is no figure
        (Bar("ops_per_s", 1, 2, against=""), Spread(30.0, 10.0, 40.0)),
    ],
)
def test_a_ratio_is_that_of_one_round(bar: Bar, spread: Spread | None) -> None:
    assert judged(bar, FOUND, "smbd") == spread


def results(*ratios: float) -> Results:
    found = Results()
    for ratio in ratios:
        found.add("READ", "smbd", {"ops_per_s": 100 * ratio, "server_us_per_op": 10 * ratio})
        found.add("READ", "samba", {"ops_per_s": 100, "server_us_per_op": 10})
    return found


@pytest.mark.parametrize(
    ("before", "now", "worse"),
    [
        ((2.0, 2.2), (1.0, 1.9), ["rate"]),
        ((2.0, 2.2), (1.0, 2.0), []),  # within the spread
        ((2.0, 2.2), (1.95, 1.99), []),  # beyond it, and so little that it says nothing
        ((1.0, 1.1), (1.3, 1.2), ["cost"]),
        ((1.0, 1.1), (1.3, 1.1), []),
    ],
)
def test_slower_is_what_is_worse_beyond_both_spreads(
    before: tuple[float, ...], now: tuple[float, ...], worse: list[str]
) -> None:
    bars = [("READ", rate(1, 2)), ("READ", cost(1, 0.5)), ("WRITE", rate(1, 2))]
    found = slower(bars, results(*before), results(*now), "smbd")
    assert [each.bar.name for each in found] == worse


def test_results_are_the_same_after_a_file(tmp_path: Path) -> None:
    before = results(1, 2)
    before.cannot("WRITE", "floor", "no compiler")
    before.write(tmp_path / "results.json")
    assert Results.read(tmp_path / "results.json") == before


def test_the_command_tells_what_got_slower(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "READ 4 KiB x16"
    for file, ratio in (("before", 2), ("now", 1)):
        found = results(ratio, ratio)
        found.found[name] = found.found.pop("READ")
        found.write(tmp_path / file)

    def said(now: str, before: str) -> tuple[int, str]:
        words = ["bench", "--from", str(tmp_path / now), "--check", str(tmp_path / before)]
        monkeypatch.setattr(sys, "argv", words)
        return bench.main(), capsys.readouterr().out

    status, text = said("now", "before")
    assert status == 1
    assert f"slower than before:\n{name}: rate 1.00 (" in text
    assert said("now", "now")[0] == 0
    assert said("nothing", "now")[0] == 2


def test_another_server_can_stand_in_sambas_place() -> None:
    found = results(1, 1)
    for figures in found.found["READ"]["samba"]:
        found.add("READ", "smbd@before", {name: 4 * value for name, value in figures.items()})
    row = Row("READ", None, (rate(1, 2), floor(1, 2))).against("smbd@before")
    line = table([row], found, "smbd", "smbd@before").splitlines()[2]
    assert [cell.strip() for cell in line.split("|")[2:6]] == [
        "400 · 40.0",
        "100 · 10.0",
        "rate",
        "0.25",
    ]


def test_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(ValueError, match="has no results"):
        Results.read(tmp_path / "other.json")


@pytest.mark.parametrize(
    ("value", "text"), [(12345.6, "12,346"), (99.9, "99.9"), (1.5, "1.5"), (0.333, "0.33")]
)
def test_numbers_have_the_digits_that_say_something(value: float, text: str) -> None:
    assert number(value) == text


def test_the_table_has_a_line_for_each_bar_and_says_what_was_not_there() -> None:
    def nothing(*_: object) -> dict[str, float]:
        return {}

    found = results(2, 2, 2)
    found.cannot("READ", "floor", "no compiler")
    bars = (rate(1, 1.5), cost(1, 0.5), floor(2, 1))
    text = table([Row("READ", nothing, bars), Row("WRITE", nothing, bars)], found, "smbd")
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()]
    assert len({len(line) for line in cells}) == 1
    assert [line[3:7] for line in cells[2:]] == [
        ["rate", "2", ">= 1 · 1.5", "aim"],
        ["cost", "2", "<= 1 · 0.5", "**short**"],
        ["cost by floor", "", "<= 2 · 1", "no compiler"],
    ]


@pytest.mark.parametrize(
    ("value", "text"), [(1, "1"), (1000, "1,000"), (1024, "1 KiB"), (1 << 40, "1 TiB")]
)
def test_an_amount_is_a_size_if_it_can_be_one(value: int, text: str) -> None:
    assert amount(value) == text


@pytest.mark.parametrize(
    ("costs", "of_all", "of_the_end", "does"),
    [
        ([10, 10, 10, 10], 0, 0, False),
        ([10, 100, 1000, 10000], 1, 1, True),
        ([1000, 100, 10, 10], -0.7, 0, False),  # is cheaper together
        ([1000, 100, 10, 10, 100, 1000], 0, 1, True),  # and dear at the end
        ([10, 100], 1, 1, True),
        ([10], None, None, False),
    ],
)
def test_growth_is_a_slope_of_all_or_of_the_end(
    costs: list[float], of_all: float | None, of_the_end: float | None, does: bool
) -> None:
    points = [(10.0**at, float(cost)) for at, cost in enumerate(costs)]
    found = exponents(points)
    if of_all is not None:
        assert found == pytest.approx((of_all, of_the_end), abs=0.15)
    assert grows(points) == does


def test_a_part_of_a_page_is_put_between_its_marks(tmp_path: Path) -> None:
    file = tmp_path / "README.md"
    file.write_text("a\n<!-- x -->\nold\n<!-- end of x -->\nb\n")
    for _ in range(2):
        page.written("x", r"new \1", file)
        assert file.read_text() == "a\n<!-- x -->\n\nnew \\1\n\n<!-- end of x -->\nb\n"
    with pytest.raises(ValueError, match="no marks"):
        page.written("y", "new", file)


def test_the_page_has_marks_for_all_that_is_written_into_it() -> None:
    text = page.PAGE.read_text()
    assert "<!-- table of bars -->\n" in text
    assert "<!-- curves of growth -->\n" in text


def test_plots_are_files_of_svg() -> None:
    pytest.importorskip("matplotlib")
    row = Row("READ", lambda *_: {}, (rate(1, 1.5), cost(1, 0.5)))
    drawn = plots.against_samba([row], results(1, 2), "smbd")
    assert drawn is not None
    grown = plots.growing({"a": ("entries", "us", {"smbd": [(1, 2), (10, 3)]})})
    for text in (drawn, grown):
        assert ET.fromstring(text).tag.endswith("svg")
    assert "READ" in drawn
    assert plots.against_samba([row], Results(), "smbd") is None


def test_what_a_guest_says_becomes_figures_of_its_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu = iter([1.0, 1.5, 3.0, 3.1])
    monkeypatch.setattr(kernel, "usage", lambda _pid: SimpleNamespace(cpu=next(cpu)))
    stands: Any = [SimpleNamespace(name="smbd", pid=1), SimpleNamespace(name="samba", pid=2)]
    clerk = kernel.Clerk(stands, Results())
    for line in ("begin 0 make", "end 0 make 2.0", "begin 1 ls", "hello", "end 1 ls 10.0"):
        clerk.hear(line)
    assert clerk.results.found == {
        "kernel makes 1,000 files": {"smbd": [{"ops_per_s": 500.0, "server_us_per_op": 500.0}]},
        "kernel: ls -l of 5,000": {"samba": [{"ops_per_s": 500.0, "server_us_per_op": 20.0}]},
    }
    assert set(clerk.results.found) <= {row.name for row in rows(guest=True)}


def test_every_curve_can_be_measured() -> None:
    curves = [dataclasses.replace(curve, short=(1, 3)) for curve in CURVES]
    problems: list[str] = []
    with standing("folder", ["smbd"], lambda *why: problems.append(str(why))) as stands:
        points, failed = growth.measure(curves, stands, 1, 0.01, short=True)
    assert (problems, failed) == ([], [])
    assert {name: [step for step, _ in line["smbd"]] for name, line in points.items()} == {
        curve.name: [1, 3] for curve in curves
    }
    assert len(growth.table(curves, points).splitlines()) == 2 + len(curves)


def test_every_row_can_be_measured(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    words = ["--servers", "smbd", "floor", "--rounds", "1", "--seconds", "0.02", "--tiny"]
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench", *words, "--json", file],
        check=False, cwd=CHECKOUT, capture_output=True, text=True, timeout=280,
    )  # fmt: skip
    assert not done.returncode, done.stderr
    content = json.loads(file.read_text())
    without = {name for name, why in content["problems"].items() if "smbd" in why}
    # A disk of its own needs root, and smbclient may not be there.
    here = {row.name for row in rows(TINY) if row.place == "folder" and "smbclient" not in row.name}
    assert not without & here, content["problems"]
    for row in rows(TINY):
        if row.name not in without:
            (figures,) = content["found"][row.name]["smbd"]
            assert all(value >= 0 for value in figures.values()), row.name
            assert row.name in done.stdout


def test_processes_that_end_while_they_are_counted_have_used_nothing(monkeypatch):
    """Samba has one for each connection."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    monkeypatch.setattr(measure, "_family", lambda pid: {pid: ["S"] + ["0"] * 20})
    assert measure.usage(ended.pid) == measure.Usage(0.0, {})


def test_a_process_is_charged_for_less_than_a_tick_of_the_clock():
    """500 small files cost a server some 20 of these."""
    before = measure.usage(os.getpid()).cpu
    sum(range(1000))
    used = measure.usage(os.getpid()).cpu - before
    assert used > 0
    assert round(used * 100, 6) != round(used * 100)
