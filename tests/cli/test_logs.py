"""The log can be trusted: one line a record, whatever clients call themselves."""

import json
import logging

import pytest

from smbd.cli.logs import start_logging


def test_a_person_gets_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    start_logging("text")
    logging.getLogger("smbd").warning("%s: login failed", "192.0.2.7:50000")
    logging.getLogger("smbd").debug("not shown")
    [line] = capsys.readouterr().err.splitlines()
    day, time, message = line.split(" ", 2)
    assert len(day) == 10
    assert len(time) == 8
    assert message == "warning 192.0.2.7:50000: login failed"


def test_a_client_cannot_forge_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    start_logging("text")
    logging.getLogger("smbd").info("%s logged in", "a\n2026-01-01 00:00:00 info b\x1b[2J\ud800")
    [line] = capsys.readouterr().err.splitlines()
    assert line.endswith(r" info a\x0a2026-01-01 00:00:00 info b\x1b[2J\xd800 logged in")


def test_a_traceback_stays_readable(capsys: pytest.CaptureFixture[str]) -> None:
    start_logging("text")
    try:
        int("five")
    except ValueError:
        logging.getLogger("smbd").exception("our bug")
    first, second, *_, last = capsys.readouterr().err.splitlines()
    assert first.endswith(" error our bug")
    assert second == "Traceback (most recent call last):"
    assert last.startswith("ValueError:")


def test_a_program_gets_json(capsys: pytest.CaptureFixture[str]) -> None:
    start_logging("json")
    try:
        int("five")
    except ValueError:
        logging.getLogger("smbd").exception("our\nbug")
    [line] = capsys.readouterr().err.splitlines()
    record = json.loads(line)
    assert record["level"] == "error"
    assert record["message"] == "our\nbug"
    assert record["traceback"].startswith("Traceback")
    assert record["time"] > 1.7e9


def test_starting_twice_logs_once(capsys: pytest.CaptureFixture[str]) -> None:
    start_logging("text")
    start_logging("text")
    logging.getLogger("smbd").info("once")
    assert len(capsys.readouterr().err.splitlines()) == 1
