"""What a test leaves to the next test of its process is seen, whatever it is."""

import gc
import logging
import os
import resource
import signal
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

import smbd
from smbd.cli.logs import LogFormat, start_logging
from tests.process_state import bindings, changes, process_state, rebound


def handler(*_: object) -> None:
    pass


def limit() -> None:
    resource.setrlimit(
        resource.RLIMIT_STACK, (1 << 24, resource.getrlimit(resource.RLIMIT_STACK)[1])
    )


def seen(disturb: Callable[[], object]) -> list[str]:
    """What is seen of it.  In a child process: nothing of it is left to the next test."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():  # a thread that was started before is not in the child
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        before = process_state()
        disturb()
        os.write(writing, "\n".join(changes(before, process_state())).encode()[:4096])
        os._exit(0)
    os.close(writing)
    with open(reading, encoding="utf-8") as shown:  # noqa: PTH123 -- of a descriptor
        lines = shown.read().splitlines()
    assert os.waitpid(child, 0)[1] == 0
    return lines


@pytest.mark.parametrize(
    ("disturb", "name"),
    [
        (lambda: logging.getLogger("smbd").setLevel("INFO"), "logger smbd:"),
        (lambda: logging.getLogger("new").addHandler(logging.StreamHandler()), "logger new:"),
        (lambda: setattr(logging.getLogger("trio"), "propagate", False), "logger trio:"),
        (lambda: logging.disable(logging.ERROR), "process level that no log has:"),
        (lambda: os.environ.update(SMBD_LEFT="1"), "environment SMBD_LEFT:"),
        (lambda: os.environ.pop("PATH"), "environment PATH:"),
        (lambda: os.chdir("/proc"), "process working folder:"),
        (lambda: os.umask(0o111), "process umask:"),
        (lambda: signal.signal(signal.SIGUSR2, handler), "handler SIGUSR2:"),
        (limit, "limit RLIMIT_STACK:"),
        (gc.freeze, "process garbage collector:"),
        (gc.disable, "process garbage collector:"),
        (lambda: sys.path.append("/left"), "process path of imports:"),
        (lambda: setattr(sys, "excepthook", handler), "process excepthook:"),
    ],
)
def test_what_is_left_is_named(disturb: Callable[[], object], name: str) -> None:
    [line] = seen(disturb)
    assert line.startswith(name)


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_the_log_of_a_server_is_seen(log_format: LogFormat) -> None:
    loggers = [line.partition(":")[0] for line in seen(lambda: start_logging(log_format))]
    assert loggers == [f"logger {name}" for name in ("aio", "asyncio", "smbd", "trio", "zeroconf")]


def test_what_was_restored_is_not_seen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before, names = process_state(), bindings()
    with monkeypatch.context() as changed:
        changed.chdir(tmp_path)
        changed.setenv("SMBD_LEFT", "1")
        changed.setattr("smbd.config.ServerConfig.__init__", handler)
        changed.setitem(sys.modules, "smbd.config", smbd)
        assert changes(before, process_state())
        assert rebound(names, bindings())
    assert not changes(before, process_state())
    assert not rebound(names, bindings())


def test_a_name_of_ours_that_means_another_object_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    names = bindings()
    with monkeypatch.context() as changed:
        changed.setattr("smbd.cli.logs._LAST_WORDS", 7)
        changed.setattr("smbd.config.ServerConfig.__init__", handler)
        changed.setattr("os.fsync", handler)
        left = rebound(names, bindings())
    assert {line.partition(":")[0] for line in left} == {
        "os fsync",
        "smbd.cli.logs _LAST_WORDS",
        "smbd.config.model.ServerConfig __init__",
    }
