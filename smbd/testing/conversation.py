"""What a server and its clients have said: a line for each request, of which the last are kept."""

from smbd.journal import Entry, Journal

_LINES = 1000


class Conversation:
    """The last 1,000 requests of all connections of a server, in the order of their answers.

    The server's loop writes; any thread may read `text`, also when that loop is stuck.
    """

    def __init__(self) -> None:
        self.journal = Journal(_LINES)

    def text(self, since: float) -> str:
        """The lines since a moment of `time.time`, with the milliseconds from there."""
        entries = self.journal.entries
        told = [_line(one, since) for one in entries if one.time >= since]
        if len(told) == len(entries) and entries.forgotten:
            told.insert(0, f"(the last {_LINES} requests)")
        return "\n".join(told)


def _line(entry: Entry, since: float) -> str:
    words = [entry.client, entry.user, entry.command, f"{entry.share}/{entry.path}".strip("/")]
    if entry.length is not None:
        words.append(f"{entry.length} bytes at {entry.offset}")
    words += [f"{name}={_shown(value)}" for name, value in entry.details.items()]
    status = entry.status or "never answered"
    told = f"{' '.join(filter(None, words))}: {status} ({entry.seconds * 1000:.1f} ms)"
    return f"{(entry.time - since) * 1000:8.1f} ms  {told}"


def _shown(value: object) -> object:
    """A number as the specification writes it: nearly all are flags."""
    return f"{value:#x}" if isinstance(value, int) and value > 9 else value
