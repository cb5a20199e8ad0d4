"""A document is the same after it was written and read; anything else is refused by its name."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from aio.compare.document import FORMAT, Document, Measurement, Skipped, Volume
from aio.compare.figures import Figures, Latencies

RUN = Figures(1.0, 2, 8192, Latencies.of([0.1, 0.2]), 0.5, 3, 0, 2, 0.2, (1.0,), {"reads": 2.0})


@pytest.fixture
def document() -> Document:
    beside = replace(RUN, latencies=Latencies.of([]), operations=0)
    volume = Volume("ext4", "/here", "ext4", "/dev/loop0", made=True, reads_per_second=200)
    volume.forms["sync"] = "pread in the loop"
    volume.measurements.append(Measurement("bare", "hits", "sync", [RUN, replace(RUN, cpu=0.75)]))
    volume.measurements.append(
        Measurement("served", "mix", "threads", [replace(RUN, beside=beside)])
    )
    volume.skipped.append(Skipped("bare", "", "uring", "not on this paper"))
    volume.experiments["O_NONBLOCK"] = {"blocked": True, "longest_us": 5.5}
    return Document(
        "2026-02-03T04:05:06+01:00",
        ("smbd", "compare"),
        {"kernel": "6.18", "CPU": "two"},
        "required",
        quick=True,
        complete=True,
        seconds=12.5,
        volumes=[volume],
    )


def test_it_is_the_same_after_writing_and_reading(document: Document, tmp_path: Path) -> None:
    path = tmp_path / "study.json"
    document.write(path)
    assert Document.read(path) == document
    assert [each.name for each in tmp_path.iterdir()] == ["study.json"]


def test_what_is_no_number_is_never_written(document: Document, tmp_path: Path) -> None:
    path = tmp_path / "study.json"
    document.write(path)
    document.seconds = float("nan")
    with pytest.raises(ValueError, match="JSON compliant"):
        document.write(path)
    assert Document.read(path).seconds == 12.5


def test_what_was_measured_is_found_by_layer_workload_and_form(document: Document) -> None:
    volume = document.volumes[0]
    found = volume.find("bare", "hits", "sync")
    assert found is not None
    assert len(found.rounds) == 2
    assert volume.find("served", "hits", "sync") is None
    assert volume.median("bare", "hits", "sync", "cpu_us") == 312500.0
    assert volume.median("bare", "hits", "threads", "cpu_us") is None


def test_a_measurement_without_rounds_is_none(document: Document) -> None:
    document.volumes[0].measurements.append(Measurement("bare", "empty", "sync"))
    assert document.volumes[0].find("bare", "empty", "sync") is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\x00",
        "{",
        "[]",
        "null",
        "{}",
        json.dumps({"format": "smbd compare 0"}),
        json.dumps({"format": FORMAT}),
        json.dumps({"format": FORMAT, "volumes": None}),
        json.dumps({"format": FORMAT, "volumes": [7]}),
        json.dumps({"format": FORMAT, "volumes": [], "command": [], "date": ""}),
        json.dumps({"format": FORMAT, "volumes": [{"measurements": [{"rounds": [{}]}]}]}),
        json.dumps({"format": FORMAT, "volumes": [{"measurements": ["x"], "skipped": []}]}),
    ],
)
def test_what_is_no_document_is_refused_naming_the_file(tmp_path: Path, text: str) -> None:
    path = tmp_path / "study.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"study\.json: "):
        Document.read(path)


def test_bytes_that_are_no_text_are_refused_naming_the_file(tmp_path: Path) -> None:
    path = tmp_path / "study.json"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match=r"study\.json: "):
        Document.read(path)


@pytest.mark.parametrize("name", ["date", "machine", "volumes", "command"])
def test_a_document_that_lacks_something_is_refused_naming_the_file(
    document: Document, tmp_path: Path, name: str
) -> None:
    path = tmp_path / "study.json"
    document.write(path)
    values = json.loads(path.read_text())
    del values[name]
    path.write_text(json.dumps(values))
    with pytest.raises(ValueError, match=rf"study\.json: not a whole document: .*{name}"):
        Document.read(path)


def test_a_file_that_is_not_there_is_an_oserror(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Document.read(tmp_path / "study.json")
