"""Opens that are given again: to a reconnect, and to a CREATE that is replayed.

[MS-SMB2] 3.3.5.9.7, 3.3.5.9.10, 3.3.5.9.12.
"""

from dataclasses import replace

from smbd.closing import closed_on_error, in_use
from smbd.commands import create_contexts
from smbd.commands.create_response import granted_level, respond
from smbd.commands.durable import AskedDurability, answers, open_again
from smbd.fsa.opening import Found
from smbd.request import Reply, Request
from smbd.state import OPLOCKS, Open, level_of
from smbd.vfs import information
from smbd.wire.create import CreateAction, CreateRequest
from smbd.wire.fscc import FileInformation


def at_once(request: Request, message: CreateRequest, durability: AskedDurability) -> Reply | None:
    """Give an Open back; None if there is none, or if its file cannot be asked here."""
    if durability.reconnect is not None:
        found = request.tables.opens.find(durability.reconnect.persistent_id)
        if found is not None and found.file.asks_others:
            return None
    open_ = open_again(request, message, durability)
    if open_ is None or open_.file.asks_others:
        return None
    return _respond(request, message, durability, open_, information(open_.file))


async def later(
    request: Request, message: CreateRequest, durability: AskedDurability
) -> Reply | None:
    """The same, where the file may be asked; None if this CREATE opens anew."""
    open_ = open_again(request, message, durability)
    if open_ is None:
        return None
    known = await _known(request, open_, replayed=durability.reconnect is None)
    return _respond(request, message, durability, open_, known)


async def _known(request: Request, open_: Open, *, replayed: bool) -> FileInformation:
    """What is known of the file of an Open that is given back; without it, it is closed."""
    if replayed:
        async with in_use(open_):
            return await request.blocking(information, open_.file)
    async with closed_on_error(request.service, open_):
        return await request.blocking(information, open_.file)


def _respond(
    request: Request,
    message: CreateRequest,
    durability: AskedDurability,
    open_: Open,
    known: FileInformation,
) -> Reply:
    """The response to a reconnect, or to a replay: that says no more than it asks for."""
    level, action = granted_level(open_), CreateAction.OPENED
    asked = replace(create_contexts.parse(message), maximum=False)
    if durability.reconnect is None:
        if open_.creation is not None:
            action = open_.creation.action
        if open_.caching is not None and open_.caching.is_oplock:
            wanted = OPLOCKS.get(message.requested_oplock_level, 0)
            level = level_of(open_.caching.held & wanted)
    found = Found(open_.file, action, known, open_.granted_access, open_.granted_access)
    contexts = create_contexts.answers(asked, found, open_.caching)
    contexts += answers(message, durability, open_)
    return respond(request, open_, found, level, contexts)
