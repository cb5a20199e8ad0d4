"""The whole study: its volumes side by side, round after round."""

from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path

import pytest

from aio.compare.document import Document
from aio.compare.forms import Form
from aio.compare.progress import ProgressLine
from aio.compare.volumes import OpenVolume, VolumeError
from aio.compare.workloads import workload_named
from smbd.compare import campaign
from smbd.compare.campaign import Study, WantedVolume, run_study


def study(*volumes: WantedVolume) -> Study:
    return Study(
        volumes,
        layers=("bare",),
        workloads=[workload_named("hits 4 KiB x1"), workload_named("writes 1 MiB x4")],
        forms=[Form("sync")],
        quick=True,
        rounds=3,
        signing="off",
    )


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Volumes that are folders; the throttled ones say so when they are entered."""
    entered: list[str] = []

    class Noted(OpenVolume):
        @contextmanager
        def throttled(self) -> Iterator[None]:
            entered.append(self.name)
            yield

    @contextmanager
    def made_volume(kind: str, folder: Path, **_: object) -> Iterator[OpenVolume]:
        if kind == "xfs":
            raise VolumeError("not today")
        yield Noted(kind, folder)

    monkeypatch.setattr(campaign, "own_mount_namespace", lambda: None)
    monkeypatch.setattr(campaign, "made_volume", made_volume)
    monkeypatch.setattr(campaign, "EXPERIMENTS", {})
    return entered


def run(what: Study) -> Document:
    document = Document("2026-11-23T00:00:00+00:00", ("smbd",), {}, "off", quick=True)
    run_study(what, document, ProgressLine(StringIO()))
    return document


def test_each_round_goes_through_all_volumes(disk: Path, made: list[str]) -> None:
    document = run(study(WantedVolume(disk, "ext4"), WantedVolume(disk, "btrfs")))

    assert made == ["ext4", "btrfs"] * 3
    assert document.complete
    for volume in document.volumes:
        assert {(each.workload, len(each.rounds)) for each in volume.measurements} == {
            ("hits 4 KiB x1", 3),
            ("writes 1 MiB x4", 3),
        }
    assert not list(disk.iterdir())


def test_what_cannot_be_had_is_said_once_and_not_tried_again(
    disk: Path, made: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    del made

    def refused(*_: object) -> None:
        raise OSError(0, "there is no such engine today")

    monkeypatch.setattr("aio.compare.bare.open_engine", refused)
    (volume,) = run(study(WantedVolume(disk, "ext4"))).volumes

    assert not volume.measurements
    assert [each.reason for each in volume.skipped] == ["there is no such engine today"]


def test_one_volume_that_is_not_to_be_had_is_the_end_of_its_study(
    disk: Path, made: list[str]
) -> None:
    del made
    with pytest.raises(VolumeError, match="not today"):
        run(study(WantedVolume(disk, "xfs")))
