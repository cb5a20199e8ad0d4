"""One round of a login, whatever it is for: a new session, its renewal, or one more channel."""

import logging
from collections.abc import Awaitable, Callable

from smbd.auth import Step
from smbd.crypto import extend_preauth_hash
from smbd.ntstatus import NtError, NtStatus, status_name
from smbd.request import Reply, Request
from smbd.session import Channel
from smbd.state import Wait
from smbd.waiting import until
from smbd.wire.session_setup import pack_session_setup_response

# Logins of one connection, begun or done: a terminal server has one for each of its users.
MOST_SESSIONS = 1024


def extend_preauth(request: Request, channel: Channel) -> None:
    """The request is part of the channel's preauth integrity hash ([MS-SMB2] 3.3.5.5)."""
    channel.preauth = extend_preauth_hash(channel.preauth, request.frame)


def more_processing(request: Request, token: bytes, *, hashed: bool) -> Reply:
    """The response in the middle of a login; `hashed`: the preauth integrity hash goes on."""
    request.credit_request = 1  # as Windows and Samba grant in the middle of a login
    reply = Reply(pack_session_setup_response(0, token), NtStatus.MORE_PROCESSING_REQUIRED)
    reply.preauth = hashed
    return reply


async def next_step(
    request: Request,
    channel: Channel,
    token: memoryview,
    failed: Callable[[], Awaitable[None]],
) -> Step:
    """Give the token to the channel's login; NtError if it fails, after `failed`.

    What says whether a login is good or bad comes when `hold_back` lets it.
    """
    connection, throttle = request.connection, request.service.throttle
    assert channel.exchange is not None
    now = connection.now
    try:
        step = channel.exchange.step(token)
        channel.memory.resize(channel.exchange.size)
    except NtError as error:
        refusal = error.status  # alone: the error's traceback keeps all messages of the login
    else:
        refusal = 0
    if refusal:
        await failed()
        connection.tell(logging.WARNING, "login failed", "login failed: %s", status_name(refusal))
        if refusal == NtStatus.LOGON_FAILURE:  # anything else is no guess at a password
            await _hold_back(request, throttle.failed(connection.address, now))
        raise NtError(refusal)
    if step.identity is not None:
        await _hold_back(request, throttle.delay(connection.address, now))
    return step


def end_login(channel: Channel) -> None:
    """It is over: nothing of it stays."""
    channel.exchange = None
    channel.memory.resize(0)


async def _hold_back(request: Request, delay: float) -> None:
    """Wait before a login is answered, good or bad alike: the wait does not tell which one comes.

    The answers of one connection leave one after the other.  Otherwise a thousand guesses that
    are sent together would all be answered after one delay.
    """
    connection = request.connection
    connection.login_due = max(connection.login_due, connection.now) + delay
    if connection.login_due > connection.now:
        wait = Wait()
        deadline = request.service.deadlines.at(connection.login_due, wait.end)
        try:
            await until(request.waits_for(wait))
        finally:
            deadline.cancel()
