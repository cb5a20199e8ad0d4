"""The end of one Open: out of all tables, its name if that is to be deleted, its descriptor.

The first task that ends it does, once, as smbd.teardown says.
"""

import contextlib
import logging
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from time import perf_counter

import trio

from smbd.events import about
from smbd.fsa import write_time
from smbd.ntstatus import NtError
from smbd.service import Service
from smbd.share import Share
from smbd.state import REMOVED, Link, Open, Operation, modified, renamed
from smbd.vfs import Place
from smbd.vfs.closes import close_may_wait, place_of_small
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
    if open_.kept_write_time is not None:
        open_.kept_write_time = write_time.kept(service.tables.files, open_)
        open_.closed_at = filetime_from_unix(time.time_ns())
    link = service.tables.leave(open_)
    if open_.unsaid is not None:
        open_.said(service.clock())
    if open_.unreported or open_.notify is not None:
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
                await delete(service, open_, link)
        finally:
            if open_.leave():
                await close_descriptor(open_)


def closes_at_once(service: Service, open_: Open) -> bool:
    """Whether closing an Open waits for nothing: there is no name to delete, no disk to ask.

    OSError: EBADF.
    """
    return not service.tables.files.goes_with(open_) and closes_quickly(open_)


def closes_quickly(open_: Open) -> bool:
    """The same of an Open with which no name goes."""
    return open_.users > 0 or not _may_wait(open_)


def close_at_once(service: Service, open_: Open) -> None:
    """Close an Open of which `closes_at_once` says that it can be.  OSError as `end_open`."""
    open_.use()
    try:
        drop_open(service, open_)
    finally:
        if open_.leave():
            _close_now(open_)


def close_apart(open_: Open) -> None:
    """Close the descriptor of an Open that ends before a table had it.  OSError as `end_open`."""
    _detach(open_)
    open_.file.close()


def _close_now(open_: Open) -> None:
    file, kept = open_.file, open_.kept_write_time
    if not file.writable and kept is None:  # that says nothing of how long a change would take
        _detach(open_)
        file.close()
        return
    at_once, began = file.at_once, perf_counter()
    if kept is not None:
        write_time.put_back(file, kept, open_.closed_at)
    _detach(open_)
    file.close()
    if at_once is not None:
        at_once.made(began)


def place_to_delete(service: Service, open_: Open) -> Place | None:
    """Where the file of an Open is to be removed with it, if that waits for nothing; taken.

    None for one that has more to it, or that others have in work.  OSError: EBADF.
    """
    link, file = open_.link, open_.file
    if link is None or open_.users or open_.base is not None or link.streams:
        return None
    if file.root.recycle is not None:
        return None  # more than one folder changes
    if open_.durable is not None and open_.durable.forget is not None:
        return None
    if open_.cachings.has_keepers_but(open_.caching):
        return None
    if service.tables.files.has_open_streams(file) or service.tables.files.changes.meet(file):
        return None
    return place_of_small(file)


def delete_at_once(service: Service, open_: Open, place: Place) -> None:
    """Close an Open, and remove its file, of which it is the last open.  OSError as `end_open`."""
    file, files = open_.file, service.tables.files
    open_.use()
    try:
        link = drop_open(service, open_)
        assert link is not None, "it goes with its last open"
        open_.kept_write_time = None
        try:
            with contextlib.suppress(NtError, OSError):
                place.remove_at_once()
                service.tables.changed(open_, REMOVED, service.clock())
        finally:
            files.changes.made(file.identity)
            files.forget(link)
    finally:
        if open_.leave():
            _close_now(open_)


def _detach(open_: Open) -> None:
    """Have the engine forget the descriptor, before it is closed."""
    if open_.file.has_data:
        open_.share.engine.detach(open_.file.fd)


def _may_wait(open_: Open) -> bool:
    durable, is_stream = open_.durable, open_.file.stream is not None
    is_recorded = durable is not None and durable.forget is not None
    if is_stream or is_recorded:
        return True
    kept, link = open_.kept_write_time, open_.link
    written = link is None or link.state.writers > 0
    if not written and kept is not None and write_time.is_to_put_back(open_.file, kept):
        written = True
    return close_may_wait(open_.file, written=written)


async def close_descriptor(open_: Open) -> None:
    """Close a descriptor that no operation uses: in a worker, if that may wait.  OSError of close.

    It cannot be cancelled: that would leave the close to the event loop.
    """
    _detach(open_)
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
    if open_.durable is not None and open_.durable.forget is not None:
        open_.durable.forget()
    at_once, began = open_.file.at_once, perf_counter()
    try:
        open_.file.settle()
    finally:
        open_.file.close()
    if at_once is not None:
        at_once.returned(began)


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


async def delete(service: Service, open_: Open, deleted: Link) -> None:
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
            with contextlib.suppress(NtError), _telling(open_.share):
                old = "" if file.root.recycle is None else file.place_of_name
                kept = await open_.share.workers.run_long(open_.session_id, file.delete)
                if kept is not None:
                    service.tables.appeared(kept.made, service.clock(), directories=True)
                    event = renamed(old)
                service.tables.changed(open_, event, service.clock())
        finally:
            service.tables.files.forget(deleted)


@contextmanager
def _telling(share: Share) -> Iterator[None]:
    """A deletion that fails stays untold, but where its client believes a file to be kept.

    That is logged once for each share and cause.
    """
    try:
        yield
    except OSError as error:
        if share.config.recycle and error.errno not in share.deletions_told:
            share.deletions_told.add(error.errno or 0)
            text = "%s: a file was not deleted, since %s cannot take it: %s (told once)"
            extra = about("deletion refused", share=share.name)
            _log.error(text, share.name, share.config.recycle, error.strerror, extra=extra)


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
