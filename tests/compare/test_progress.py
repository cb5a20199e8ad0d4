"""The progress line, on terminals of several widths and on none."""

import io
import os

import pytest

from aio.compare import progress
from aio.compare.progress import ProgressLine, Step


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        return 99

    def shown(self) -> str:
        """What stands in the line: every line is drawn over the one before."""
        line = ""
        for text in self.getvalue().split("\r"):
            line = text + line[len(text) :]
        return line.rstrip()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr(progress, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def width(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    columns = [100]

    def size(fd: int) -> os.terminal_size:
        assert fd == 99
        return os.terminal_size((columns[0], 24))

    monkeypatch.setattr(os, "get_terminal_size", size)
    return columns


def step(
    done: int, what: str = "hits, sync, 1 of 1", volume: str = "ext4", layer: str = "bare"
) -> Step:
    """One of ten, of 4 s each."""
    return Step(volume, layer, what, done, 10, done * 4.0, (10 - done) * 4.0)


def test_before_anything_is_done_the_plan_says_how_long_it_takes(
    clock: list[float], width: list[int]
) -> None:
    terminal = Terminal()
    ProgressLine(terminal).begins(step(0))
    assert terminal.shown() == f"[{'.' * 30}]  0% ext4, bare: hits, sync, 1 of 1 - 40 s left"


def test_what_finished_steps_have_really_taken_tells_how_long_the_rest_takes(
    clock: list[float], width: list[int]
) -> None:
    terminal = Terminal()
    line = ProgressLine(terminal)
    line.begins(step(0))
    clock[0] += 16.0  # of 8 planned
    line.begins(step(2))
    assert terminal.shown().endswith("64 s left")
    assert terminal.shown().startswith(f"[{'#' * 6}{'.' * 24}] 20% ")


def test_volumes_to_come_are_taken_to_be_like_this_one(
    clock: list[float], width: list[int]
) -> None:
    terminal = Terminal()
    line = ProgressLine(terminal, volumes=4)
    line.begins(step(0))
    assert "  0% " in terminal.shown()
    assert terminal.shown().endswith("- 3 min left")  # 160 s
    clock[0] += 40.0
    line.volume_done()
    clock[0] += 500.0  # making the next one is not of it
    line.begins(step(0, volume="xfs"))
    clock[0] += 20.0
    line.begins(step(5, volume="xfs"))
    assert " 38% " in terminal.shown()
    assert terminal.shown().endswith("- 2 min left")


@pytest.mark.parametrize("columns", [1, 10, 20, 40, 60, 79, 80, 132, 400])
def test_a_line_never_reaches_the_last_column(
    clock: list[float], width: list[int], columns: int
) -> None:
    width[0] = columns
    terminal = Terminal()
    line = ProgressLine(terminal)
    line.begins(step(3, what="w" * 50))
    line.note("n" * 500)
    assert all(len(text) < columns for text in terminal.getvalue().split("\r"))


def test_where_there_is_little_room_the_bar_goes_first_and_then_the_name(
    clock: list[float], width: list[int]
) -> None:
    terminal = Terminal()
    line = ProgressLine(terminal)
    width[0] = 60
    line.begins(step(0))
    assert terminal.shown() == "  0% ext4, bare: hits, sync, 1 of 1 - 40 s left"
    width[0] = 30
    line.begins(step(0))
    assert terminal.shown() == "  0% ext4, bare:  - 40 s left"


def test_a_terminal_that_does_not_know_its_width_is_taken_to_have_80_columns(
    clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: int) -> os.terminal_size:
        raise OSError(25, "Inappropriate ioctl for device")

    monkeypatch.setattr(os, "get_terminal_size", refuse)
    terminal = Terminal()
    ProgressLine(terminal).note("n" * 500)
    assert len(terminal.shown()) == 79


def test_a_shorter_line_leaves_nothing_of_the_longer_one_and_at_the_end_there_is_none(
    clock: list[float], width: list[int]
) -> None:
    terminal = Terminal()
    with ProgressLine(terminal) as line:
        line.begins(step(0))
        line.note("making xfs")
        assert terminal.shown() == "making xfs"
    assert terminal.shown() == ""
    assert "\n" not in terminal.getvalue()


def test_elsewhere_there_is_a_plain_line_for_each_volume_layer_and_tenth(
    clock: list[float],
) -> None:
    out = io.StringIO()
    with ProgressLine(out, volumes=2) as line:
        line.note("making ext4")
        for done, layer in ((0, "bare"), (0, "served"), (1, "bare"), (1, "served"), (2, "bare")):
            line.begins(step(done, layer=layer))
            clock[0] += 2.0
        line.volume_done()
        line.begins(step(0, volume="xfs"))
        line.begins(step(1, volume="xfs"))
    assert out.getvalue().splitlines() == [
        "making ext4",
        "  0% ext4, bare - 80 s left",
        "  0% ext4, served - 80 s left",
        " 10% ext4, bare - 54 s left",
        " 50% xfs, bare - 40 s left",
    ]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (99.4, "99 s"), (100, "2 min"), (3599, "60 min"), (6000, "1 h 40 min")],
)
def test_times_are_said_roughly(seconds: float, text: str) -> None:
    assert progress._duration(seconds) == text
