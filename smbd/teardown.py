"""The ends of things: an Open, a tree connect, a session, with all that hangs on them.

Several tasks may end the same thing: a CLOSE, a LOGOFF, `smbd disconnect` and the loss of the
connection, each with an await in the middle.  So the first of them makes the end, once; it goes
on whatever one of its steps raises; and it is not cancelled half-way, because an Open that it has
taken out of its table no other task would find.
"""

import contextlib
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import trio

from smbd.connection import Connection
from smbd.events import about
from smbd.fsa import write_time
from smbd.ntstatus import NtError
from smbd.service import Service
from smbd.session import Channel, Session, Tree
from smbd.state import REMOVED, Link, Open, Operation, PipeOpen, modified
from smbd.turns import Turn
from smbd.vfs.closes import close_may_wait
from smbd.waiting import begun
from smbd.wall import wall
from smbd.wire.change_notify import CompletionFilter
from smbd.wire.filetime import filetime_from_unix

_log = logging.getLogger("smbd")


def drop_open(service: Service, open_: Open) -> Link | None:
    """Take an Open out of every table; the link that is to be deleted with it, if any.

    A second call does nothing.
    """
    if open_.closed:
        return None
    if open_.delete_on_close and open_.cachings.keepers:
        # What others keep open for no program would keep the name from going.
        wait = open_.cachings.contend(Operation.REMOVE, open_.caching, service.clock())
        if wait is not None:
            wait.give_up()
    open_.kept_write_time = write_time.kept(service.tables.files, open_)
    open_.closed_at = filetime_from_unix(time.time_ns())
    link = service.tables.leave(open_)
    with wall("telling of a closed file"):
        service.tables.report_end(open_, service.clock())
    return link


async def end_open(service: Service, open_: Open) -> None:
    """Close an Open, and delete the link that waited for its last open to close.

    A second call does nothing.  OSError of close(2): written data may be lost.
    """
    if open_.closed:
        return
    with trio.CancelScope(shield=True):
        open_.use()
        try:
            link = drop_open(service, open_)
            if link is not None:
                await _delete(service, open_, link)
        finally:
            if open_.leave():
                await close_descriptor(open_)


def closes_at_once(service: Service, open_: Open) -> bool:
    """Whether closing an Open waits for nothing: there is no name to delete, no disk to ask.

    OSError: EBADF.
    """
    return not service.tables.files.goes_with(open_) and (open_.users > 0 or not _may_wait(open_))


def close_at_once(service: Service, open_: Open) -> None:
    """Close an Open of which `closes_at_once` says that it can be.  OSError as `end_open`."""
    open_.use()
    try:
        drop_open(service, open_)
    finally:
        if open_.leave():
            open_.share.engine.detach(open_.file.fd)
            open_.file.close()


def _may_wait(open_: Open) -> bool:
    durable, is_stream = open_.durable, open_.file.stream is not None
    is_recorded = durable is not None and durable.recorded
    if open_.kept_write_time is not None or is_stream or is_recorded:
        return True
    link = open_.link
    return close_may_wait(open_.file, written=link is None or link.state.writers > 0)


async def close_descriptor(open_: Open) -> None:
    """Close a descriptor that no operation uses: in a worker, if that may wait.  OSError of close.

    It cannot be cancelled: that would leave the close to the event loop.
    """
    open_.share.engine.detach(open_.file.fd)
    try:
        if _may_wait(open_):
            workers, turn = open_.share.workers, open_.session_id
            with trio.CancelScope(shield=True):
                await workers.run_long(turn, _close_file, open_)
    finally:
        open_.file.close()  # if it is not closed by now


def _close_file(open_: Open) -> None:
    """Close the descriptor; what the file's writer wanted to have as its time comes back.  Blocks.

    Others may open the file and write to it since the handle was closed: their time stays.
    """
    if open_.kept_write_time is not None:
        write_time.put_back(open_.file, open_.kept_write_time, open_.closed_at)
    if open_.durable is not None:
        open_.durable.forget()
    try:
        open_.file.settle()
    finally:
        open_.file.close()


async def close_unused(open_: Open) -> None:
    """Close the descriptor of a closed Open that no operation uses any more.

    Its client is told no more; the operator must know if data is lost.
    """
    try:
        await close_descriptor(open_)
    except OSError as error:
        share, path = open_.share.name, open_.file.path
        extra = about("close failed", share=share)
        _log.error("%s: %s: while it was closed: %s", share, path, error.strerror, extra=extra)


@asynccontextmanager
async def in_use(open_: Open) -> AsyncIterator[None]:
    """Count one more operation in flight for as long as the block lasts."""
    open_.use()
    try:
        yield
    finally:
        if open_.leave():
            await close_unused(open_)


async def _delete(service: Service, open_: Open, deleted: Link) -> None:
    """Delete what waited for an Open's end: its stream, or the name by which its file was opened.

    After whatever else is done to it.
    """
    file, changes = open_.file, service.tables.files.changes
    event = modified(CompletionFilter.STREAM_NAME)
    if not deleted.state.is_stream:
        file, event = file.described, REMOVED
    with await begun(lambda: changes.begin([file.identity], paths=(file.absolute_path,))):
        try:
            # CLOSE has no way to say that a deletion failed ([MS-FSA] 2.1.5.5): a folder that was
            # filled meanwhile stays, as on Windows.
            with contextlib.suppress(NtError, OSError):
                await open_.share.workers.run_long(open_.session_id, file.remove)
                service.tables.changed(open_, event, service.clock())
        finally:
            service.tables.files.forget(deleted)


@asynccontextmanager
async def closed_on_error(service: Service, open_: Open) -> AsyncIterator[None]:
    """Close an Open again if the rest of its CREATE fails; its file stays."""
    async with in_use(open_):
        try:
            yield
        except BaseException:
            if not open_.closed:  # by the end of its session, meanwhile
                open_.delete_on_close = False
                await end_open(service, open_)
            raise


async def end_tree(service: Service, tree: Tree) -> None:
    """Disconnect a tree and close the opens of it ([MS-SMB2] 3.3.5.8)."""
    tree.session.disconnect(tree)
    await _close_all(service, lambda: list(tree.opened.values()))


async def lose_channel(service: Service, channel: Channel, *, preserve: bool = True) -> None:
    """A connection has ended, and nothing of it is in work any more ([MS-SMB2] 3.3.7.1).

    A session goes on with its other channels, and ends with its last one: but for its durable
    opens.  What was told over the channel comes last.  An open whose caching is being broken is not
    preserved, and requests that wait for that must not look again before it is closed.
    """
    session = channel.session
    if not session.lose(channel):
        if session.channels:
            extra = about("ended", client=channel.client, user=session.user)
            text = "%s: the session of %s ends: no other connection has room for what it holds"
            _log.warning(text, channel.client, session.user, extra=extra)
        await end_session(service, session, preserve=preserve)
    await _tell_again(service, session.listeners.lost(channel))


async def lose_connection(
    service: Service, connection: Connection, *, preserve: bool = True
) -> None:
    """As `lose_channel` for all channels of a connection; then nothing more can be told over it.

    What was told and not acknowledged is told again over another connection of the same client, and
    the client gives way if it has none.
    """
    channels = connection.channels
    while channels:
        channel = next(iter(channels.values()))
        with wall(f"{connection.client}: the end of a channel"):
            await lose_channel(service, channel, preserve=preserve)
        channels.pop(channel.session.session_id, None)
    client, connection.lease_client = connection.lease_client, None
    if client is not None:
        await _tell_again(service, client.lost(connection))


async def end_session(service: Service, session: Session, *, preserve: bool = False) -> None:
    """Forget a session and close all that it holds ([MS-SMB2] 3.3.5.6).

    With `preserve` its durable opens are parked: its client may come back for them.
    """
    channels = list(session.channels)
    service.sessions.pop(session.session_id, None)
    session.forget()
    for tree in list(session.trees.values()):
        session.disconnect(tree)
    try:
        parked = await _park(service, session) if preserve else []
        await _close_all(service, lambda: [*session.pipes.values(), *session.opens.values()])
        await _put_back_streams(parked)
    finally:
        session.memory.end()
        for channel in channels:
            await _tell_again(service, session.listeners.lost(channel))


async def _tell_again(service: Service, lost: Iterator[None]) -> None:
    """Tell again what was told over a lost connection, or let it give way: 8 us each (measured)."""
    turn = Turn(service.turns)
    turn.begin()
    for _ in lost:
        await turn.pause()


async def _park(service: Service, session: Session) -> list[Open]:
    """Park what may outlive a session, as far as there is room; the named streams of it."""
    turn = Turn(service.turns)
    turn.begin()
    streams: list[Open] = []
    with trio.CancelScope(shield=True):
        for open_ in list(session.opens.values()):
            await turn.pause()
            if open_.holder is not None:
                service.tables.park(open_, service.clock())
                if open_.file.stream is not None:
                    streams.append(open_)
    return streams


async def _put_back_streams(parked: list[Open]) -> None:
    """Put back parked streams: they may wait for minutes, and a kill must not cost their data."""
    with trio.CancelScope(shield=True):
        for open_ in parked:
            with wall("putting back a stream"):
                if not open_.closed:
                    async with in_use(open_):
                        await open_.share.workers.run_long(None, open_.file.settle)


async def end_all_parked(service: Service) -> None:
    """The server ends: nothing is parked any more.  Persistent handles stay in their records."""
    durable = service.tables.durable
    durable.limit = 0
    if service.records is not None:
        service.records.kept = True
        for open_ in durable.persistent:
            open_.delete_on_close = False
            if open_.link is not None and open_.link.delete_pending:
                open_.link.set_delete_pending(pending=False)
    durable.end_all()
    await end_parked(service, durable.take_ended())


async def end_parked(service: Service, opens: list[Open]) -> None:
    """Close parked opens whose time is over, or that others want; the list is empty then."""
    with trio.CancelScope(shield=True):
        await _close_each(service, [*opens])
        service.dispose_unused()


async def _close_all(service: Service, left: Callable[[], list[Open | PipeOpen]]) -> None:
    """Close the pipes and files that are left, until there are none.

    Share modes, locks and names are free first, for the requests that wait for them; the work of
    workers comes after that.
    """
    with trio.CancelScope(shield=True):
        while opened := left():
            await _close_each(service, opened)
        service.dispose_unused()


async def _close_each(service: Service, opened: list[Open | PipeOpen]) -> None:
    """Close them all; the list is empty then.

    No reference keeps a closed one: to free 9,000 of them in one go takes 13 ms (measured).
    """
    turn = Turn(service.turns)
    turn.begin()
    deletions: deque[tuple[Open, Link]] = deque()
    in_worker: deque[Open] = deque()
    while opened:  # the last ones first: a file in a folder was opened after it, and goes before it
        await turn.pause()
        one = opened.pop()
        with wall("closing a file or pipe"):
            if isinstance(one, PipeOpen):
                one.holder.leave(one)
                one.close()
            elif one.closed:
                continue  # by another task, meanwhile
            elif closes_at_once(service, one):
                close_at_once(service, one)
            else:
                in_worker.append(one.use())
                link = drop_open(service, one)
                if link is not None:
                    deletions.append((one, link))
    while deletions:
        one, link = deletions.popleft()
        with wall("deleting a closed file"):
            await _delete(service, one, link)
    while in_worker:
        await turn.pause()
        one = in_worker.popleft()
        if one.leave():
            with wall("closing a file"):
                await close_unused(one)
