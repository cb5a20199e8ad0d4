"""The log on stderr: a line for a person, or a JSON object a line for a program."""

import json
import logging
import re
import sys
import time

from smbd.cli.outlet import Outlet
from smbd.config import LogFormat
from smbd.events import FIELDS

# Clients choose their names: none of them may begin a line of ours, or move a terminal's cursor.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


# At the end of the process: for a reader that is slow, not for one that is not there.
_LAST_WORDS = 0.5
# The log of other packages goes the same way: logging's last resort would wait for a reader.
_LOGGERS = {
    "smbd": logging.INFO,
    "aio": logging.INFO,
    "asyncio": logging.WARNING,
    "trio": logging.WARNING,
    "zeroconf": logging.WARNING,
}


def start_logging(log_format: LogFormat) -> None:
    """Send the server's log to stderr, and never wait for it."""
    handler = OutletHandler(JsonFormatter() if log_format == "json" else TextFormatter())
    for name, level in _LOGGERS.items():
        logger = logging.getLogger(name)
        logger.handlers[:] = [handler]
        logger.setLevel(level)
        logger.propagate = False


def event_line(event: str, message: str, **fields: object) -> str:
    """Write a printed text as the log writes its lines: one JSON object."""
    line: dict[str, object] = {"time": round(time.time(), 3), "level": "info", "message": message}
    return json.dumps({**line, "event": event, **fields})


class OutletHandler(logging.Handler):
    """Formats where it is called, and has an Outlet write."""

    def __init__(self, formatter: logging.Formatter) -> None:
        super().__init__()
        self.setFormatter(formatter)
        self._outlet = Outlet(sys.stderr, self._told)

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        self._outlet.put(self.format(record))

    def flush(self) -> None:
        """At the end of the process: give a reader a moment to take what waits."""
        self._outlet.drain(_LAST_WORDS)

    def _told(self, dropped: int) -> str:
        message = f"{dropped} lines of the log are missing here: nobody read them in time"
        fields = {"levelno": logging.WARNING, "levelname": "WARNING", "msg": message}
        return self.format(logging.makeLogRecord(fields))


class TextFormatter(logging.Formatter):
    """`2026-11-23 02:12:31 warning 192.0.2.7:50000: login failed`; a traceback follows as it is."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(level)s %(message)s", "%Y-%m-%d %H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        """Write one record."""
        record.level = record.levelname.lower()
        return super().format(record)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 -- logging's name
        """Write the line before a traceback, without control characters."""
        return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", super().formatMessage(record))


class JsonFormatter(logging.Formatter):
    """`{"time": 1763863951.5, "level": "warning", "message": "..."}`, and further fields if known.

    "event", "client", "user" and "share" say what the message is about; "traceback" is of our bug.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Write one record."""
        line = {
            "time": round(record.created, 3),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
        }
        line |= {key: getattr(record, key) for key in FIELDS if hasattr(record, key)}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line)
