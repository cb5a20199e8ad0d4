"""Breaks that a client has not acknowledged in time: the operator hears which client and file.

Others have waited for it, 35 s each time, and wonder why.
"""

import logging

from smbd.events import about
from smbd.service import Service
from smbd.state import PATIENCE, Caching

_log = logging.getLogger("smbd")

# Seconds between two lines.  A client may let 10,000 breaks expire at once, and each line costs a
# walk over the open files: 0.4 ms for 10,000 (measured).
_PAUSE = 1.0


class Unacknowledged:
    """Writes a line for the first break that expires, and for one of those that do each second."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._next = 0.0
        self._untold = 0
        service.tables.files.caching.on_expired = self._tell

    def _tell(self, caching: Caching) -> None:
        now = self._service.clock()
        if now < self._next:
            self._untold += 1
            return
        self._next = now + _PAUSE
        more, self._untold = self._untold, 0
        opens = self._service.tables.opens
        open_ = next((one for one in opens if one.caching is caching), None)
        if open_ is None:
            return
        session = self._service.sessions.get(open_.session_id)
        user = "" if session is None else session.user
        client = session.channels[0].client if session is not None and session.channels else "-"
        _log.warning(
            "%s: %s on %s in %s was broken, and not acknowledged within %.0f s: it is taken%s",
            client,
            "an oplock" if caching.is_oplock else f"the lease {caching.key.hex()}",
            open_.file.label,
            open_.share.name,
            PATIENCE,
            f" ({more} more since the last such line)" if more else "",
            extra=about("break expired", client=client, user=user, share=open_.share.name),
        )
