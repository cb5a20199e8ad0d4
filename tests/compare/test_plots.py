import re
from dataclasses import replace
from math import log10
from xml.etree import ElementTree

import pytest

pytest.importorskip("matplotlib")

from aio.compare.figures import Latencies
from aio.compare.forms import FORMS
from aio.compare.report import charts
from aio.compare.report.drawing import look, styled
from aio.compare.report.plots import plots
from aio.compare.report.view import View
from tests.compare.example import example


@pytest.fixture(scope="module")
def volume():
    return example(quick=True).volumes[0]


@pytest.fixture(scope="module")
def drawn(volume):
    return list(plots(View(volume), "served", "one"))


def test_there_are_five_plots_each_with_what_to_see_and_how_to_read_it(drawn):
    assert len(drawn) == 5
    assert len({each.title for each in drawn}) == 5
    assert all(len(each.caption) > 80 for each in drawn)


def test_a_plot_is_whole_xml_and_loads_nothing(drawn):
    for each in drawn:
        ElementTree.fromstring(each.svg)
        assert "<metadata" not in each.svg
        assert not re.search(r'href="[^#]|url\([^#]|<image|<style>[^<]*@', each.svg)


def test_ids_of_plots_in_one_page_differ(drawn):
    ids = [found for each in drawn for found in re.findall(r' id="([^"]*)"', each.svg)]
    assert len(ids) == len(set(ids)) > 0
    for each in drawn:
        used = set(re.findall(r"(?:href=\"|url\()#([^\")]*)", each.svg))
        assert used <= set(ids)


def test_colours_follow_the_page_from_light_to_dark(drawn):
    for each in drawn:
        assert "var(--ink)" in each.svg
        assert not re.search(r"#[0-9a-f]{6}", each.svg)


def test_the_same_figures_are_drawn_the_same(volume, drawn):
    again = next(plots(View(volume), "served", "one"))
    assert again == drawn[0]


def test_every_form_is_named_in_every_plot(drawn):
    for each in drawn:
        for form in FORMS:
            assert re.search(rf">{re.escape(form.name)}(:[^<]*)?<", each.svg), each.title


def test_numbers_in_texts_keep_their_digits(drawn):
    assert ">99.99%<" in drawn[0].svg


def test_a_line_ends_where_one_request_of_a_round_lies_beyond():
    volume = example(quick=True).volumes[0]
    run = volume.find("served", "misses 4 KiB x1", "threads")
    few = Latencies.of([number / 1e6 for number in range(200)])
    run.rounds[:] = [replace(each, latencies=few) for each in run.rounds]
    with styled():
        figure = charts.latencies(View(volume), "served")
    axes = next(each for each in figure.axes if each.get_title("left") == "misses 4 KiB x1")
    ends = [line.get_xdata()[-1] for line in axes.lines]
    assert min(ends) == pytest.approx(log10(200))


def test_a_volume_without_misses_has_no_plots_of_them():
    tmpfs = example(quick=True).volumes[1]
    titles = [each.title for each in plots(View(tmpfs), "bare", "two")]
    assert "What hits cost while others miss" not in titles
    assert "What a hit costs the CPU" in titles


def test_a_volume_without_figures_has_no_plots():
    empty = example().volumes[1]
    empty.measurements = []
    assert list(plots(View(empty), "bare", "x")) == []


def test_the_probe_fills_a_marker_and_direct_has_its_own_line():
    assert look("nowait+threads").filled
    assert not look("threads").filled
    assert look("nowait+threads").colour == look("threads").colour != look("uring").colour
    assert look("libaio direct").dash != look("libaio").dash
    assert look("nowait+threads inline_limit=65536").dash != look("nowait+threads").dash
    assert look("some engine of tomorrow").colour
