"""The subject of a log line, as fields: programs need not take its sentence apart."""

from collections.abc import Mapping

# In this order in a line of JSON, where they are known.
FIELDS = ("event", "client", "user", "share")


def about(event: str, *, client: str = "", user: str = "", share: str = "") -> Mapping[str, str]:
    """Return the `extra` of a log record; `event` is one of few words, the same for each kind."""
    found = {"event": event, "client": client, "user": user, "share": share}
    return {key: value for key, value in found.items() if value}
