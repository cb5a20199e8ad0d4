"""Those who look on, or stand in the way: `--journal`, `--capture`, `--fault`."""

import argparse
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from smbd.config import Config
from smbd.events import about
from smbd.faults import Rule

if TYPE_CHECKING:
    from smbd.server import Server

_log = logging.getLogger("smbd")

Begun = Callable[["Server"], None]


@contextmanager
def looking_on(
    arguments: argparse.Namespace, config: Config, faults: Sequence[Rule] | None
) -> Iterator[Begun]:
    """Open the files that were asked for; what it gives is called with the server at its start.

    With `faults` requests go wrong by them, and by those of `tsmbd fault`; None: by nobody's.

    OSError, with its name, for a file that cannot be written.
    """
    with ExitStack() as stack:
        starts: list[Begun] = []
        if arguments.journal is not None:
            starts.append(_journal(arguments, stack))
        if arguments.capture is not None:
            starts.append(_capture(arguments, config, stack))

        def begun(server: "Server") -> None:
            for start in starts:
                start(server)
            if faults is not None:
                _break_on_purpose(server, faults)

        yield begun


def _journal(arguments: argparse.Namespace, stack: ExitStack) -> Begun:
    from smbd.journal import Journal, Lines  # noqa: PLC0415 -- trio, which --help need not wait for

    lines = Lines(arguments.journal)
    stack.callback(lines.close)
    journal = Journal(0, lambda entry: lines.put(entry.as_json()))
    return lambda server: server.observe(journal)


def _capture(arguments: argparse.Namespace, config: Config, stack: ExitStack) -> Begun:
    from smbd.journal import Capture  # noqa: PLC0415 -- as above

    capture = Capture(arguments.capture, config.server.listen[0].host)
    stack.callback(capture.close)

    def start(server: "Server") -> None:
        server.observe(capture)
        server.service.note_keys.append(capture.note_keys)

    return start


def _break_on_purpose(server: "Server", faults: Sequence[Rule]) -> None:
    server.takes_faults = True
    for rule in faults:
        server.faults.add(rule)
    text = "this server is for tests: it goes wrong by %d rules, and takes those of tsmbd fault"
    _log.warning(text, len(faults), extra=about("faults"))
