"""The ends of tree connects, channels, connections and sessions, with the opens that hang on them.

Several tasks may end the same thing: a CLOSE, a LOGOFF, `smbd disconnect` and the loss of the
connection, each with an await in the middle.  So the first of them makes the end, once; it goes
on whatever one of its steps raises; and it is not cancelled half-way, because an Open that it has
taken out of its table no other task would find.
"""

import logging
from collections import deque
from collections.abc import Callable, Iterator

import trio

from smbd.closing import (
    close_at_once,
    close_unused,
    closes_at_once,
    delete,
    drop_open,
    in_use,
)
from smbd.connection import Connection
from smbd.events import about
from smbd.service import Service
from smbd.session import Channel, Session, Tree
from smbd.state import Link, Open, PipeOpen
from smbd.turns import Turn
from smbd.wall import wall

_log = logging.getLogger("smbd")


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
            await delete(service, one, link)
    while in_worker:
        await turn.pause()
        one = in_worker.popleft()
        if one.leave():
            with wall("closing a file"):
                await close_unused(one)
