"""The log on stderr: a line for a person, or a JSON object a line for a program."""

import json
import logging
import re
import sys

from smbd.config import LogFormat

# Clients choose their names: none of them may begin a line of ours, or move a terminal's cursor.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def start_logging(log_format: LogFormat) -> None:
    """Send what the server logs to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter())
    logger = logging.getLogger("smbd")
    logger.handlers[:] = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False


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
    """`{"time": 1763863951.5, "level": "warning", "message": "..."}`, with "traceback" if any."""

    def format(self, record: logging.LogRecord) -> str:
        """Write one record."""
        line = {
            "time": round(record.created, 3),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line)
