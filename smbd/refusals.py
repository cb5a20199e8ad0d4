"""Writes that the file system refuses are logged for the operator: once, not each time.

The client sees ACCESS_DENIED or DISK_FULL, as for a right that its user lacks or a quota of his
own; only the log can say that the disk is full, or that the directory belongs to another user.
"""

import errno
import logging
import os

from smbd.config import system_user
from smbd.events import about
from smbd.request import Request
from smbd.wire.access import Access
from smbd.wire.create import CreateDisposition, parse_create_request
from smbd.wire.header import Command

_log = logging.getLogger("smbd")

_FULL_OR_FIXED = frozenset((errno.EROFS, errno.ENOSPC, errno.EDQUOT))
_FORBIDDEN = frozenset((errno.EACCES, errno.EPERM))
_WRITES = (
    Access.FILE_WRITE_DATA
    | Access.FILE_APPEND_DATA
    | Access.DELETE
    | Access.GENERIC_WRITE
    | Access.GENERIC_ALL
)


def tell(request: Request, error: OSError) -> None:
    """Log an OSError by which a write failed, once for each share and cause."""
    cause = error.errno
    if cause is None or cause not in _FULL_OR_FIXED | _FORBIDDEN:
        return
    share = request.tree.share if request.tree is not None else None
    if share is None or cause in share.refusals_told:
        return
    if cause in _FORBIDDEN and not _writes(request):
        return
    share.refusals_told.add(cause)
    server = f"; the server runs as {system_user(os.geteuid())}" if cause in _FORBIDDEN else ""
    client, session = request.connection.client, request.session
    user = session.user if session is not None else ""
    _log.warning(
        "%s: the file system refuses a %s: %s%s (%s; told once)",
        *(share.name, request.row.name, error.strerror, server, client),
        extra=about("write refused", client=client, user=user, share=share.name),
    )


def _writes(request: Request) -> bool:
    """Whether a request wants to change something: a file that may not be read is no news."""
    if request.command != Command.CREATE:
        return request.row.changes
    message = parse_create_request(request.frame)
    creates = message.create_disposition != CreateDisposition.OPEN
    return creates or bool(message.desired_access & _WRITES)
