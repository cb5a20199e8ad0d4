"""Output that nobody reads holds nobody, and says how much of it is missing."""

import fcntl
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import pytest

from smbd.cli.outlet import Outlet

HERE = Path(__file__).parents[2]
LINE = "x" * 1023  # and a newline: as many in a pipe's 64 KiB, and in the bound of 1 MiB, as said
F_SETPIPE_SZ = 1031


def told(dropped: int) -> str:
    return f"{dropped} dropped"


@pytest.fixture
def pipe() -> Iterator[tuple[TextIO, TextIO]]:
    """The reading and the writing end of a pipe of 64 KiB."""
    ends = os.pipe()
    fcntl.fcntl(ends[1], F_SETPIPE_SZ, 65536)
    with os.fdopen(ends[0]) as reading, os.fdopen(ends[1], "w") as writing:
        yield reading, writing


def test_what_is_put_comes_out_in_its_order(pipe: tuple[TextIO, TextIO]) -> None:
    reading, writing = pipe
    outlet = Outlet(writing, told)
    for number in range(100):
        outlet.put(str(number))
    assert [reading.readline().strip() for _ in range(100)] == [str(one) for one in range(100)]


def test_a_writer_of_more_than_is_read_does_not_wait_and_the_rest_is_counted(
    pipe: tuple[TextIO, TextIO],
) -> None:
    reading, writing = pipe
    outlet = Outlet(writing, told)
    for _ in range(5000):
        outlet.put(LINE)
    outlet.drain(0.05)  # which ends, though nobody reads
    whole = dropped = 0
    while whole + dropped < 1024:  # as much as waits in the process
        whole, dropped = counted(reading.readline(), whole, dropped)
    outlet.put("later")
    while (line := reading.readline()) != "later\n":
        whole, dropped = counted(line, whole, dropped)
    assert whole >= 1024
    assert (whole + dropped, dropped > 0) == (5000, True)


def counted(line: str, whole: int, dropped: int) -> tuple[int, int]:
    """The lines that came and those that a line says were dropped: more than once, maybe."""
    if line == LINE + "\n":
        return whole + 1, dropped
    count, word = line.split()
    assert word == "dropped"
    return whole, dropped + int(count)


def test_a_reader_that_has_gone_costs_nothing(pipe: tuple[TextIO, TextIO]) -> None:
    reading, writing = pipe
    outlet = Outlet(writing, told)
    reading.close()
    outlet.put("nobody hears this")
    outlet.drain(10)
    outlet.put("nor this")


def test_what_has_no_descriptor_is_written_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    Outlet(sys.stdout, told).put("a line")
    assert capsys.readouterr().out == "a line\n"
    Outlet(None, told).put("nobody hears this")


def test_a_server_whose_log_nobody_reads_goes_on_and_ends(tmp_path: Path) -> None:
    program = subprocess.Popen(
        [sys.executable, "-m", "smbd", "serve", str(tmp_path), "--port", "0"],
        env={**os.environ, "PYTHONPATH": str(HERE), "XDG_RUNTIME_DIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with program:
        try:
            assert program.stdout is not None
            assert program.stderr is not None
            fcntl.fcntl(program.stderr, F_SETPIPE_SZ, 4096)
            line = next(one for one in program.stdout if one.startswith(b"tsmbd serves on "))
            port = int(line.rpartition(b":")[2])
            for _ in range(200):  # two lines of the log each, together several times the pipe
                with socket.create_connection(("127.0.0.1", port), 5) as client:
                    client.sendall(bytes(4))
                    assert client.recv(1) == b""
            program.send_signal(signal.SIGTERM)
            assert program.wait(15) == 0
        finally:
            program.kill()
