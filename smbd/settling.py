"""The steps of a request before any task: its row's checks, its command, and what errors become."""

import errno
import logging
from collections.abc import Callable, Mapping
from typing import TypeVar

from smbd import refusals
from smbd.checking import check_negotiated, check_session, check_tree, follow
from smbd.commands import NO_REPLY, TABLE, Handler, handler_of
from smbd.connection import Connection
from smbd.ntstatus import NtError, NtStatus, ProtocolError, status_of_oserror
from smbd.request import Reply, Request
from smbd.rows import UNKNOWN
from smbd.wire.header import Command

T = TypeVar("T")
_log = logging.getLogger("smbd")

# No fault of the client's: the operator must hear of it.
_OURS = frozenset(
    (
        errno.EBADF,
        errno.EIO,
        errno.EMFILE,
        errno.ENFILE,
        errno.ENODEV,
        errno.ENOMEM,
        errno.ENXIO,
        errno.ESTALE,
        errno.EUCLEAN,
    )
)


def answer_now(request: Request, handlers: Mapping[int, Handler] = TABLE) -> Reply | None:
    """The generic checks of the command's row, then its synchronous half."""
    if request.previous is not None:
        follow(request, request.previous)
    row = request.row
    if row is UNKNOWN:
        raise NtError(NtStatus.INVALID_PARAMETER)
    if request.session is None and not row.opens_connection:
        check_negotiated(request)
    if request.refusal:
        if request.command == Command.CANCEL:
            # Refused or not, it has no response; and one that is signed would use the nonce of
            # the request that it meant to cancel, whose MessageId it carries.
            return NO_REPLY
        raise NtError(request.refusal)
    if row.needs_session:
        session = check_session(request)
        if row.needs_tree and check_tree(request, session).share is None:
            handler = handler_of(request) if handlers is TABLE else handlers[request.command]
            return handler.try_now(request)
    return handlers[request.command].try_now(request)


def settle(
    connection: Connection, request: Request, step: Callable[..., T], *args: object
) -> T | Reply:
    """The result of a step, or the error response that stands for what it raised.

    The one place where errors become statuses.
    """
    try:
        return step(*args)
    except NtError as error:
        return Reply.of_error(error.status, error.data, connection.negotiated.dialect)
    except OSError as error:
        if error.errno in _OURS:
            name, why = request.row.name, error.strerror
            connection.tell(logging.ERROR, "failed", "%s: %s", name, why)
        else:
            refusals.tell(request, error)
        return Reply.of_error(status_of_oserror(error))
    except ProtocolError:
        raise
    except Exception:  # noqa: BLE001 - the one place: our bug must not end the server
        _log.exception("%s: command %d failed", connection.client, request.command)
        return Reply.of_error(NtStatus.INTERNAL_ERROR)
    finally:
        del step  # that of `_later` has the error, whose traceback has this frame: a cycle
