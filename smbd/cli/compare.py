"""`tsmbd compare`: the study of this machine's file I/O, its table, its figures and its report."""

import argparse
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from types import FrameType

from aio import check_options, parse_spec
from aio.compare.document import Document, Layer
from aio.compare.forms import FORMS, Form, form_named
from aio.compare.progress import ProgressLine
from aio.compare.report import page, text
from aio.compare.volumes import KINDS, VolumeError
from aio.compare.workloads import WORKLOADS, Workload
from smbd.cli import UsageError, complain
from smbd.compare.campaign import Study, WantedVolume, new_document, run_study

# Where images of file systems are made: never in memory, unlike /tmp.
_IMAGES = Path("/var/tmp")  # noqa: S108 -- they have no name there
_LAYERS: tuple[Layer, ...] = ("bare", "served")


def run(arguments: argparse.Namespace) -> int:
    """Measure, unless a document is given; then say what came out, and write it."""
    figures = arguments.document or _named(arguments.output, ".json")
    document = _read(figures) if arguments.document else _measure(arguments, figures)
    print(text(document, full=arguments.full))
    report = _named(arguments.output, ".html")
    report.write_text(page(document, figures.name), encoding="utf-8")
    written = [report] if arguments.document or not document.volumes else [figures, report]
    print(f"\nwritten: {', '.join(map(str, written))}")
    return 0 if document.complete or arguments.document else 130


def _read(path: Path) -> Document:
    try:
        return Document.read(path)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise UsageError(str(error)) from None


def _measure(arguments: argparse.Namespace, figures: Path) -> Document:
    """Return what was measured, also when Ctrl-C or SIGTERM has cut it short; it is in a file."""
    what = _study(arguments)
    if not os.access(figures.parent, os.W_OK):  # now, not after minutes of measuring
        raise UsageError(f"--output {arguments.output}: nothing can be written there")
    document = new_document(what, sys.argv)
    with (
        ProgressLine(sys.stderr, what.rounds * len(what.volumes)) as progress,
        _terminated_as_interrupted(),
    ):
        try:
            run_study(what, document, progress)
        except KeyboardInterrupt:
            progress.clear()
            complain("interrupted: this is what was measured until then")
        except (VolumeError, OSError) as error:
            raise UsageError(f"tsmbd compare: {error}") from None
        finally:
            if document.volumes:
                document.write(figures)
    return document


def _named(output: Path, suffix: str) -> Path:
    return output.with_name(output.name + suffix)


def _study(arguments: argparse.Namespace) -> Study:
    for name in ("rounds", "slow_disk"):
        value = getattr(arguments, name)
        if value is not None and value < 1:
            raise UsageError(f"--{name.replace('_', '-')} is a number from 1 on, not {value}")
    return Study(
        volumes=_volumes(arguments),
        layers=_LAYERS if arguments.layer is None else (arguments.layer,),
        workloads=_workloads(arguments),
        forms=_forms(arguments.engine),
        quick=arguments.quick,
        rounds=arguments.rounds or (1 if arguments.quick else 3),
        signing=arguments.signing,
    )


def _volumes(arguments: argparse.Namespace) -> tuple[WantedVolume, ...]:
    directory = arguments.directory
    kinds = arguments.file_systems.split(",") if arguments.file_systems else []
    for kind in kinds:
        if kind not in KINDS:
            raise UsageError(f"--file-systems: there is no {kind!r} here, but {', '.join(KINDS)}")
    volumes = [WantedVolume(directory or _IMAGES, kind) for kind in kinds]
    if arguments.slow_disk:
        volumes.append(WantedVolume(directory or _IMAGES, "ext4", arguments.slow_disk))
    return tuple(volumes) or (WantedVolume(directory or Path.cwd()),)


def _workloads(arguments: argparse.Namespace) -> tuple[Workload, ...]:
    chosen = tuple(
        workload
        for workload in WORKLOADS
        if fnmatchcase(workload.name, arguments.only) and (workload.quick or not arguments.quick)
    )
    if not chosen:
        names = "\n  ".join(workload.name for workload in WORKLOADS)
        raise UsageError(f"--only {arguments.only!r} names none of:\n  {names}")
    return chosen


def _forms(names: Sequence[str] | None) -> tuple[Form, ...]:
    if names is None:
        return FORMS
    try:
        forms = tuple(map(form_named, names))
        for form in forms:
            check_options(parse_spec(form.spec), form.options)
    except ValueError as error:
        raise UsageError(f"--engine: {error}") from None
    return forms


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """SIGTERM ends the study as Ctrl-C does: everything that was made is removed."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # a shell's job in the background
            raise KeyboardInterrupt
        signal.raise_signal(signal.SIGINT)  # trio has its own way with this one

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
