"""The commands of SMB2, one row each: what must hold before a request reaches its command.

[MS-SMB2] 2.2.1.2 numbers them.  To add one: a module with `try_now` and `run`, and a row.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import ModuleType
from typing import cast

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
from smbd.connection import SMB1_NEGOTIATE
from smbd.request import Reply, Request
from smbd.wire.file_id import FILE_ID_AT
from smbd.wire.header import Command

__all__ = ["NO_REPLY", "TABLE", "Row", "row_of"]


@dataclass(frozen=True, slots=True)
class Row:
    """What dispatch knows of a command."""

    name: str
    try_now: Callable[[Request], Reply | None]  # None: nothing was done, await `run`
    run: Callable[[Request], Awaitable[Reply]]
    needs_session: bool
    needs_tree: bool
    moves_data: bool  # its buffers are as large as its credits say
    changes: bool = False  # something that stays: what has begun is done to its end, CANCEL or not
    opens_connection: bool = False


def _row(
    module: ModuleType,
    *,
    session: bool = True,
    tree: bool = True,
    data: bool = False,
    changes: bool = False,
    opens: bool = False,
) -> Row:
    try_now = cast("Callable[[Request], Reply | None]", module.try_now)
    run = cast("Callable[[Request], Awaitable[Reply]]", module.run)
    name = module.__name__.rpartition(".")[2].upper()
    return Row(name, try_now, run, session, session and tree, data, changes, opens)


TABLE: dict[int, Row] = {
    SMB1_NEGOTIATE: _row(negotiate, session=False, opens=True),
    Command.NEGOTIATE: _row(negotiate, session=False, opens=True),
    Command.SESSION_SETUP: _row(session_setup, session=False),
    Command.LOGOFF: _row(logoff, tree=False, changes=True),
    Command.TREE_CONNECT: _row(tree_connect, tree=False, changes=True),
    Command.TREE_DISCONNECT: _row(tree_disconnect, changes=True),
    Command.CREATE: _row(create),
    Command.CLOSE: _row(close, changes=True),
    Command.FLUSH: _row(flush, changes=True),
    Command.READ: _row(read, data=True),
    Command.WRITE: _row(write, data=True, changes=True),
    Command.LOCK: _row(lock),
    Command.IOCTL: _row(ioctl, data=True, changes=True),
    Command.CANCEL: _row(cancel, session=False),
    Command.ECHO: _row(echo, session=False),
    Command.QUERY_DIRECTORY: _row(query_directory, data=True),
    Command.CHANGE_NOTIFY: _row(change_notify),
    Command.QUERY_INFO: _row(query_info, data=True),
    Command.SET_INFO: _row(set_info, data=True, changes=True),
    Command.OPLOCK_BREAK: _row(oplock_break),
}


def _pipe_row(
    command: int,
    try_now: Callable[[Request], Reply | None],
    run: Callable[[Request], Awaitable[Reply]] = never,
) -> Row:
    row = TABLE[command]
    return Row(row.name, try_now, run, row.needs_session, row.needs_tree, row.moves_data)


# What is different on IPC$: every command that names a file there means a pipe.
_PIPES = {command: _pipe_row(command, pipes.refuse) for command in (*FILE_ID_AT, Command.CREATE)}
_PIPES |= {
    Command.CREATE: _pipe_row(Command.CREATE, pipes.create),
    Command.CLOSE: _pipe_row(Command.CLOSE, pipes.close),
    Command.READ: _pipe_row(Command.READ, pipes.read, pipes.read_later),
    Command.WRITE: _pipe_row(Command.WRITE, pipes.write),
    Command.IOCTL: _pipe_row(Command.IOCTL, pipes.control, ioctl.run),
    Command.QUERY_INFO: _pipe_row(Command.QUERY_INFO, pipes.query_info),
}


def row_of(request: Request) -> Row:
    """The row of a request whose tree connect is known."""
    if request.tree is not None and request.tree.share is None:
        return _PIPES.get(request.command) or TABLE[request.command]
    return TABLE[request.command]
