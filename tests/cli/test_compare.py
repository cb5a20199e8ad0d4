"""`smbd compare` measures, keeps what it measured, and says what came out in three ways."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path

import pytest

from aio.compare.claims import judge
from aio.compare.document import Document
from aio.compare.forms import FORMS
from aio.compare.volumes import OpenVolume, VolumeError
from aio.compare.workloads import WORKLOADS
from smbd.cli import main
from smbd.cli.compare import page
from smbd.compare import campaign

SMALL = ("--quick", "--only", "hits 4 KiB x1", "--engine", "sync", "--engine", "nowait+threads")


class Anchors(HTMLParser):
    """The ids of a page, and what it loads."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.loads: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" and value:
                self.ids.append(value)
            if name in {"src", "xlink:href", "srcset"} and not (value or "").startswith("#"):
                self.loads.append(f"{tag} {value}")
        if tag in {"script", "link", "iframe", "object"}:
            self.loads.append(tag)


def compare(folder: Path, *words: str) -> int:
    return main(["compare", str(folder), "--output", str(folder / "out"), *words])


# The study as CI makes it: every form and both layers, on the disk that the tests are on. What is
# reported does not depend on how long each of the 250 runs is, and nobody looks at the figures.
@pytest.mark.timeout(900)
def test_the_quick_study_reports_on_every_claim_in_every_way(
    tmp_path_factory: pytest.TempPathFactory,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = tmp_path_factory.mktemp("study")
    monkeypatch.setattr(campaign, "_QUICK_SECONDS", {"bare": 0.02, "served": 0.02})

    assert compare(folder, "--quick") == 0

    shown = capsys.readouterr().out
    document = Document.read(folder / "out.json")
    report = (folder / "out.html").read_text(encoding="utf-8")
    assert sorted(path.name for path in folder.iterdir()) == ["out.html", "out.json"]
    assert document.complete
    (volume,) = document.volumes
    asked = {(layer, workload.name) for layer in ("bare", "served") for workload in WORKLOADS
             if workload.quick}  # fmt: skip
    for layer, workload in asked:
        found = any(
            each.layer == layer and each.workload == workload for each in volume.measurements
        )
        excused = any(
            each.layer == layer and each.workload in {"", workload} for each in volume.skipped
        )
        assert found or excused, (layer, workload)
    for form in FORMS:
        assert form.name in volume.forms
        assert form.name in shown
        assert form.name in report
    assert volume.experiments.keys() >= {"o_nonblock", "rwf_nowait", "io_submit", "partial_page"}
    page_of = Anchors(report)
    assert not page_of.loads
    assert len(page_of.ids) == len(set(page_of.ids))
    assert {"summary", "claims", "method", "volume-1", "machine"} <= set(page_of.ids)
    assert report.count("<svg") >= 4  # latencies, throughput, stalls, hits beside misses
    for verdict in judge(document):
        assert f"\n{verdict.number}. " in shown
        assert f"claim-{verdict.number}" in page_of.ids
    assert {verdict.number[0] for verdict in judge(document)} >= set("0123456")


def test_a_report_is_made_again_from_the_figures_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compare(tmp_path, *SMALL) == 0
    first = capsys.readouterr().out.partition("\nwritten:")[0]
    report = tmp_path / "out.html"
    before = report.read_text(encoding="utf-8")
    report.unlink()

    assert compare(tmp_path, "--from", str(tmp_path / "out.json")) == 0

    assert capsys.readouterr().out.partition("\nwritten:")[0] == first
    assert report.read_text(encoding="utf-8") == before


def test_one_layer_and_some_engines_are_measured_if_no_more_is_asked_for(tmp_path: Path) -> None:
    assert compare(tmp_path, *SMALL, "--layer", "bare", "--rounds", "2") == 0

    (volume,) = Document.read(tmp_path / "out.json").volumes
    assert {(each.layer, each.form, len(each.rounds)) for each in volume.measurements} == {
        ("bare", "sync", 2),
        ("bare", "nowait+threads", 2),
    }


@pytest.mark.parametrize("ended_by", [signal.SIGINT, signal.SIGTERM])
def test_what_was_measured_until_an_interrupt_is_kept(
    tmp_path: Path, ended_by: signal.Signals
) -> None:
    # A line on stderr says that a tenth of it is done: a round.
    words = ("--layer", "bare", "--engine", "sync", "--only", "hits 4 KiB x1*", "--rounds", "10")
    with subprocess.Popen(
        [sys.executable, "-m", "smbd", "compare", str(tmp_path), "--output", "out", *words],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
    ) as study:
        assert study.stderr is not None
        while not re.match(r" *[1-9]\d*% ", line := study.stderr.readline()):
            assert line, study.wait()
        study.send_signal(ended_by)
        out = study.stdout.read() if study.stdout else ""

    assert study.returncode == 130
    assert "INTERRUPTED" in out
    document = Document.read(tmp_path / "out.json")
    assert not document.complete
    assert document.volumes[0].measurements
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.html", "out.json"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--only", "nonsense"), "names none of:\n  hits 4 KiB x1"),
        (("--engine", "thread"), "did you mean 'threads'?"),
        (("--engine", "threads depth=3"), "has no option 'depth'"),
        (("--engine", "threads workers=x"), "workers is a whole number, not 'x'"),
        (("--rounds", "0"), "--rounds is a number from 1 on"),
        (("--slow-disk", "0"), "--slow-disk is a number from 1 on"),
        (("--file-systems", "ext4,ntfs"), "there is no 'ntfs' here, but ext4"),
        (("--from", "nothing.json"), "nothing.json: No such file"),
    ],
)
def test_a_wrong_wish_is_answered_with_what_would_be_right(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    assert compare(tmp_path, *words) == 2
    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_what_is_no_document_is_no_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other.json"
    other.write_text(json.dumps({"format": "something else"}))

    assert compare(tmp_path, "--from", str(other)) == 2

    assert f"{other}: " in capsys.readouterr().err


def test_a_folder_that_is_none_is_said_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", str(tmp_path / "no"), "--output", str(tmp_path / "out")]) == 2
    assert "is no folder" in capsys.readouterr().err


def test_file_systems_of_its_own_are_for_root(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    assert compare(tmp_path, *SMALL, "--file-systems", "ext4") == 2

    assert "needs root" in capsys.readouterr().err


def test_a_volume_that_is_not_to_be_had_costs_the_others_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def made(kind: str, folder: Path, **_: object) -> Iterator[OpenVolume]:
        if kind == "xfs":
            raise VolumeError("xfs cannot be made: mkfs.xfs is not installed")
        yield OpenVolume(kind, folder)

    monkeypatch.setattr(campaign, "own_mount_namespace", lambda: None)
    monkeypatch.setattr(campaign, "made_volume", made)

    assert compare(tmp_path, *SMALL, "--layer", "bare", "--file-systems", "xfs,ext4") == 0

    xfs, ext4 = Document.read(tmp_path / "out.json").volumes
    assert (xfs.name, xfs.measurements) == ("xfs", [])
    assert ext4.measurements
    assert "mkfs.xfs is not installed" in capsys.readouterr().out
    assert "mkfs.xfs is not installed" in (tmp_path / "out.html").read_text(encoding="utf-8")


def test_an_empty_document_has_a_page(tmp_path: Path) -> None:
    text = page(Document("2026-11-23T00:00:00+00:00", ("smbd",), {}, "off", quick=False))
    assert {"summary", "machine"} <= set(Anchors(text).ids)
