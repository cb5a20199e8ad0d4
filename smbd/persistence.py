"""Persistent handles on the disk: each change of one before its client is answered."""

import logging

import trio

from smbd.closing import in_use
from smbd.events import about
from smbd.request import Request
from smbd.state import Open
from smbd.state.persistent import record_of
from smbd.waiting import queued

_log = logging.getLogger("smbd")


async def remember(request: Request, open_: Open) -> None:
    """Have a persistent Open on the disk as it is now; of any other this does nothing.

    One that cannot be recorded is no more than durable from then on.
    """
    durable, service = open_.durable, request.service
    if durable is None or not durable.persistent or service.records is None:
        return
    records, queues = service.records, request.tables.files.queues
    with trio.CancelScope(shield=True):
        # It may be another client's, which closes it meanwhile: the record goes after that.
        async with in_use(open_), queued(queues.join(("record", open_.persistent_id))):
            if open_.closed:
                return
            try:
                await request.blocking(records.save, record_of(open_))
            except OSError as error:
                where, share = f"{records.directory}: {error.strerror}", open_.share.name
                text = "%s: a handle of %s will not outlive a restart: %s"
                extra = about("record failed", share=share)
                _log.error(text, share, durable.owner.user, where, extra=extra)
                request.tables.durable.make_merely_durable(open_)


async def remember_names(request: Request, open_: Open) -> None:
    """As `remember`, for all persistent opens by the name of this one, which may be another now."""
    if request.service.records is not None and open_.link is not None:
        for one in list(open_.link.opens):
            if isinstance(one, Open):
                await remember(request, one)


def is_remembered(request: Request, open_: Open) -> bool:
    """Whether there may be a record to write for this Open, or another by its name."""
    return request.service.records is not None and (
        open_.link is None
        or any(
            isinstance(one, Open) and one.durable is not None and one.durable.persistent
            for one in open_.link.opens
        )
    )
