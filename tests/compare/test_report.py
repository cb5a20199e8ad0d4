import re
import sys
from html.parser import HTMLParser

import pytest

from aio.compare.claims import judge
from aio.compare.document import Document, Measurement, Skipped
from aio.compare.figures import UNITS
from aio.compare.forms import FORMS
from aio.compare.report import page
from aio.compare.report.tables import glance
from aio.compare.report.view import View
from aio.compare.report.words import MANUALS
from aio.compare.workloads import WORKLOADS
from tests.compare.example import example

_VOID = {"meta", "col", "br"}
_EVIL = "<script>alert('&\"')</script>"


class Parsed(HTMLParser):
    """A page taken apart; AssertionError if its tags do not match."""

    def __init__(self, source):
        super().__init__()
        self.open, self.tags, self.attributes, self.words = [], [], [], []
        self.feed(source)
        self.close()
        assert not self.open
        self.ids = [value for name, value in self.attributes if name == "id"]
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


@pytest.fixture(scope="module")
def source():
    pytest.importorskip("matplotlib")
    return page(example(), "figures.json")


@pytest.fixture(scope="module")
def parsed(source):
    return Parsed(source)


@pytest.fixture
def _no_matplotlib(monkeypatch):
    """As where it is not installed."""
    for name in [*sys.modules]:
        if name.startswith(("matplotlib", "aio.compare.report.plots")):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for name in ("charts", "drawing"):
        monkeypatch.delitem(sys.modules, f"aio.compare.report.{name}", raising=False)


def test_tags_match_ids_are_unique_and_links_lead_somewhere(parsed):
    assert len(parsed.ids) == len(set(parsed.ids))
    targets = {value[1:] for name, value in parsed.attributes if name.endswith("href")}
    targets -= {address[1:] for _, address in MANUALS}
    assert targets <= set(parsed.ids)


def test_nothing_is_run_and_nothing_is_loaded(source, parsed):
    assert not {"script", "link", "img", "image", "iframe", "object", "embed"} & set(parsed.tags)
    assert not [name for name, _ in parsed.attributes if name.startswith("on") or name == "src"]
    manuals = {address for _, address in MANUALS}
    for name, value in parsed.attributes:
        if name.endswith("href"):
            assert value.startswith("#") or value in manuals
    assert "@import" not in source
    assert not re.search(r"url\((?!#)", source)


def test_every_section_is_there(parsed):
    sections = {"summary", "claims", "method", "machine", "volume-1", "volume-2"}
    parts = {"glance", "engines", "plots", "figures", "experiments"}
    assert sections | {f"volume-1-{part}" for part in parts} <= set(parsed.ids)
    assert "volume-2-skipped" in parsed.ids
    assert "volume-1-skipped" not in parsed.ids


def test_every_workload_form_figure_and_volume_is_there(parsed):
    for workload in WORKLOADS:
        assert workload.name in parsed.text
    for form in FORMS:
        assert form.name in parsed.text
    for _, about in UNITS.values():
        assert about in parsed.text
    for words in (
        "nowait+threads inline_limit=65536",
        "/dev/shm/compare",
        "figures.json",
        "served: ",
    ):
        assert words in parsed.text


def test_every_claim_has_its_verdict_in_words_on_every_volume(parsed):
    for verdict in judge(example()):
        assert parsed.text.count(f"{verdict.number}. {verdict.text}") >= 1
        assert f"claim-{verdict.number}" in parsed.ids
    assert "pill" in {
        value.split()[0] for name, value in parsed.attributes if name == "class" and value
    }


def test_there_are_plots_of_both_layers_and_both_volumes(parsed):
    assert parsed.tags.count("svg") == parsed.tags.count("figure") == 18
    assert parsed.tags.count("figcaption") == 18


@pytest.mark.usefixtures("_no_matplotlib")
def test_without_matplotlib_everything_but_the_plots_is_there():
    found = Parsed(page(example()))
    assert "svg" not in found.tags
    assert "pip install 'smbd[plots]'" in found.text
    assert {"summary", "volume-1-glance", "volume-1-figures", "machine"} <= set(found.ids)
    assert "volume-1-plots" not in found.ids


@pytest.mark.usefixtures("_no_matplotlib")
def test_names_are_text_wherever_they_come_from():
    document = example(quick=True)
    volume = document.volumes[0]
    volume.name = volume.folder = volume.device = volume.file_system = _EVIL
    volume.forms[_EVIL] = _EVIL
    volume.experiments[_EVIL] = {_EVIL: _EVIL}
    volume.skipped = [Skipped("bare", _EVIL, _EVIL, _EVIL)]
    document.machine = {_EVIL: _EVIL}
    document.command = [_EVIL]
    document.signing = _EVIL
    found = page(document, _EVIL)
    assert _EVIL not in found
    assert "script" not in Parsed(found).tags


@pytest.mark.usefixtures("_no_matplotlib")
def test_an_interrupted_study_and_a_quick_one_say_so_on_top():
    interrupted = Parsed(page(example(complete=False, quick=True))).text
    assert 0 < interrupted.index("Interrupted.") < interrupted.index("Contents")
    assert "no proof" in interrupted
    whole = Parsed(page(example())).text
    assert "Interrupted." not in whole
    assert "no proof" not in whole


@pytest.mark.usefixtures("_no_matplotlib")
def test_the_same_study_makes_the_same_page():
    assert page(example()) == page(example())


@pytest.mark.usefixtures("_no_matplotlib")
def test_a_study_of_nothing_is_a_page():
    found = Parsed(page(Document("2026-02-03T04:05:06+01:00", (), {}, "required", quick=False)))
    assert {"summary", "claims", "method", "machine"} <= set(found.ids)
    empty = example()
    for volume in empty.volumes:
        volume.measurements, volume.skipped, volume.forms, volume.experiments = [], [], {}, {}
    assert "Nothing was measured here." in Parsed(page(empty)).text


def test_the_best_is_bold_with_what_rounds_cannot_tell_from_it_and_the_far_off_is_shaded():
    found = glance(View(example().volumes[0]), "served")
    rows = dict(re.findall(r'<tr><th scope="row">(.*?)</th>(.*?)</tr>', found))
    kinds = {name: re.findall(r"<td([^>]*)>", cells) for name, cells in rows.items()}
    assert 'class="best"' in kinds["sync"][0]  # hits
    assert 'class="best"' in kinds["nowait+sync"][0]
    assert 'class="w1"' in kinds["threads"][0]
    assert 'class="w4"' in kinds["sync"][4]  # p99 of hits beside 16 misses


@pytest.mark.usefixtures("_no_matplotlib")
def test_a_workload_of_another_version_is_shown_under_its_own_heading():
    document = example(quick=True)
    runs = document.volumes[0].measurements
    runs.append(Measurement("served", "something new", "sync", runs[0].rounds))
    found = Parsed(page(document)).text
    assert "something new" in found
    assert "Other workloads" in found
