"""The commands of SMB2: what carries each of them out, on a share and on IPC$.

To add one: a module with `try_now` and `run`, a line here, and a row in `smbd.rows`.
"""

from collections.abc import Awaitable, Callable
from types import ModuleType
from typing import NamedTuple, cast

from smbd.commands import (
    cancel,
    change_notify,
    close,
    create,
    echo,
    flush,
    ioctl,
    lock,
    logoff,
    negotiate,
    oplock_break,
    pipes,
    query_directory,
    query_info,
    read,
    session_setup,
    set_info,
    tree_connect,
    tree_disconnect,
    write,
)
from smbd.commands.reply import NO_REPLY, never
from smbd.request import Reply, Request
from smbd.rows import PIPE_ROWS, SMB1_NEGOTIATE
from smbd.wire.header import Command

__all__ = ["NO_REPLY", "TABLE", "Handler", "handler_of"]


class Handler(NamedTuple):
    """What carries a command out."""

    try_now: Callable[[Request], Reply | None]  # None: nothing was done, await `run`
    run: Callable[[Request], Awaitable[Reply]] = never


def _of(module: ModuleType) -> Handler:
    try_now = cast("Callable[[Request], Reply | None]", module.try_now)
    return Handler(try_now, cast("Callable[[Request], Awaitable[Reply]]", module.run))


TABLE: dict[int, Handler] = {
    SMB1_NEGOTIATE: _of(negotiate),
    Command.NEGOTIATE: _of(negotiate),
    Command.SESSION_SETUP: _of(session_setup),
    Command.LOGOFF: _of(logoff),
    Command.TREE_CONNECT: _of(tree_connect),
    Command.TREE_DISCONNECT: _of(tree_disconnect),
    Command.CREATE: _of(create),
    Command.CLOSE: _of(close),
    Command.FLUSH: _of(flush),
    Command.READ: _of(read),
    Command.WRITE: _of(write),
    Command.LOCK: _of(lock),
    Command.IOCTL: _of(ioctl),
    Command.CANCEL: _of(cancel),
    Command.ECHO: _of(echo),
    Command.QUERY_DIRECTORY: _of(query_directory),
    Command.CHANGE_NOTIFY: _of(change_notify),
    Command.QUERY_INFO: _of(query_info),
    Command.SET_INFO: _of(set_info),
    Command.OPLOCK_BREAK: _of(oplock_break),
}

# The commands of IPC$: each that names a file means a pipe there.
_PIPES = dict.fromkeys(PIPE_ROWS, Handler(pipes.refuse)) | {
    Command.CREATE: Handler(pipes.create),
    Command.CLOSE: Handler(pipes.close),
    Command.READ: Handler(pipes.read, pipes.read_later),
    Command.WRITE: Handler(pipes.write),
    Command.IOCTL: Handler(pipes.control, ioctl.run),
    Command.QUERY_INFO: Handler(pipes.query_info),
}


def handler_of(request: Request) -> Handler:
    """The handler of a request whose tree connect is known."""
    if request.tree is not None and request.tree.share is None:
        return _PIPES.get(request.command) or TABLE[request.command]
    return TABLE[request.command]
