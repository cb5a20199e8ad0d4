"""The ends of things: an Open, a tree connect, a session, with all that hangs on them."""

import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from smbd.commands import write_time
from smbd.ntstatus import NtError, NtStatus
from smbd.service import Service
from smbd.session import Session, Tree
from smbd.state import Link, Open


def drop_open(service: Service, session: Session, open_: Open) -> Link | None:
    """Take an Open out of every table; what is to be deleted with it, if anything."""
    write_time.restore(service, open_)
    open_.closed = True
    service.opens.remove(open_)
    session.opens.pop(open_.volatile_id, None)
    if open_.unreported:
        service.notify.modified(open_.file, open_.unreported)
    if open_.notify is not None:
        service.notify.end(open_.notify, NtStatus.NOTIFY_CLEANUP)
    return service.files.remove(open_)


async def close_open(service: Service, session: Session, open_: Open) -> None:
    """Close an Open, deleting the file if this was what its deletion waited for."""
    with open_:
        doomed = drop_open(service, session, open_)
        if doomed is None:
            return
        try:
            # CLOSE has no way to say that a deletion failed ([MS-FSA] 2.1.5.5): a folder that
            # was filled meanwhile stays, as on Windows.  Nor can it be cancelled half-way.
            with contextlib.suppress(NtError, OSError), trio.CancelScope(shield=True):
                await open_.share.workers.run_long(session, open_.file.root.remove, open_.file)
                service.notify.removed(open_.file)
        finally:
            service.files.forget(doomed)


@asynccontextmanager
async def closed_on_error(service: Service, session: Session, open_: Open) -> AsyncIterator[None]:
    """Close an Open again if the rest of its CREATE fails; its file stays."""
    with open_:
        try:
            yield
        except BaseException:
            if not open_.closed:  # by the end of its session, meanwhile
                open_.delete_on_close = False
                await close_open(service, session, open_)
            raise


async def end_tree(service: Service, session: Session, tree: Tree) -> None:
    """Disconnect a tree and close what was opened through it ([MS-SMB2] 3.3.5.8)."""
    session.trees.pop(tree.tree_id, None)
    for pipe in [one for one in session.pipes.values() if one.tree_id == tree.tree_id]:
        session.pipes.pop(pipe.volatile_id).close()
    for open_ in [one for one in session.opens.values() if one.tree_id == tree.tree_id]:
        await close_open(service, session, open_)
    service.dispose_unused()


async def end_session(service: Service, session: Session) -> None:
    """Forget a session and close all that it holds ([MS-SMB2] 3.3.5.6)."""
    service.sessions.pop(session.session_id, None)
    session.forget()
    session.trees.clear()
    while session.pipes:
        session.pipes.popitem()[1].close()
    for open_ in list(session.opens.values()):
        await close_open(service, session, open_)
    service.dispose_unused()
