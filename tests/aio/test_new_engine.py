"""A class and a row make an engine: whatever asks for engines finds it by these two."""

import errno
from pathlib import Path

import pytest

import aio
from aio.blocking import SyncEngine
from aio.catalog import ENGINES, Option, Row
from aio.compare.forms import Form, forms_of
from aio.compare.report.style import css
from aio.compare.report.words import ways
from tests.aio.engines import a_file, read

LANES = Option("lanes", minimum=1, maximum=8, default=2)
DIRECT = Option("direct", minimum=0, maximum=1, default=0)


class Scratch(SyncEngine):
    """The class."""

    name = "scratch"
    lacking = False

    def __init__(self, *, lanes: int, direct: int) -> None:
        super().__init__()
        self.asked_for = lanes, direct

    @classmethod
    def check(cls) -> None:
        if cls.lacking:
            raise OSError(errno.ENOSYS, "scratched out")


ROW = Row(
    name="scratch",
    class_path=f"{__name__}:Scratch",
    options=(LANES, DIRECT),
    how="by hand",
    requests="are scratched",
    everywhere=False,
    offered="while the paper lasts",
    colour="#123456",
    colour_in_dark="#abcdef",
    marker="v",
)


@pytest.fixture(autouse=True)
def row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ENGINES, "scratch", ROW)


def offer() -> aio.Offer:
    (found,) = [each for each in aio.offers() if each.name == "scratch"]
    return found


async def test_it_is_opened_with_its_options(tmp_path: Path) -> None:
    engine = aio.open_engine("scratch", lanes=5)
    assert engine.asked_for == (5, 0)
    with a_file(engine, tmp_path, b"content") as fd:
        assert await read(engine, fd, 100, 0) == b"content"
    await engine.aclose()
    behind = aio.open_engine("nowait+scratch,threads", workers=3)
    assert behind.name == "nowait+scratch"
    await behind.aclose()
    with pytest.raises(ValueError, match="lanes is a whole number from 1 to 8, not 9"):
        aio.open_engine("scratch", lanes=9)
    with pytest.raises(ValueError, match="did you mean 'scratch'"):
        aio.open_engine("scratsh")


def test_it_is_surveyed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert offer() == aio.Offer("scratch", True, "while the paper lasts")  # noqa: FBT003
    assert aio.describe(tmp_path, "scratch").reads == "all are scratched"
    assert "are scratched" in aio.describe(tmp_path, "nowait+scratch").writes
    monkeypatch.setattr(Scratch, "lacking", True)
    assert offer() == aio.Offer("scratch", False, "scratched out")  # noqa: FBT003
    description = aio.describe(tmp_path, "scratch,threads")
    assert description.engine == "threads"
    assert description.notes == ("scratch is not available: scratched out",)


def test_the_study_has_its_forms_words_and_colours() -> None:
    assert forms_of(ENGINES.values())[-3:] == (
        Form("scratch"),
        Form("nowait+scratch"),
        Form("scratch", {"direct": 1}),
    )
    assert ways()["scratch"] == "By hand."
    assert "--scratch: #123456;" in css()
    assert "--scratch: #abcdef;" in css()


def test_it_is_drawn() -> None:
    pytest.importorskip("matplotlib")
    from aio.compare.report.drawing import legend, look, panels, styled, svg

    assert (look("nowait+scratch").colour, look("scratch").marker) == ("#123456", "v")
    with styled():
        figure, _ = panels(1, 1)
        legend(figure, ["scratch", "nowait+scratch", "scratch direct"])
        drawn = svg(figure, "a", "scratch")
    assert "var(--scratch)" in drawn
    assert "nowait+scratch" in drawn
