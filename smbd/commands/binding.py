"""SESSION_SETUP that binds: one more channel of a session ([MS-SMB2] 3.3.5.5, 3.3.5.5.3)."""

import logging
from functools import partial

from smbd.auth import Identity
from smbd.commands.logins import (
    MOST_SESSIONS,
    end_login,
    extend_preauth,
    more_processing,
    next_step,
)
from smbd.crypto import AES_GMAC, derive_keys, make_signer
from smbd.negotiated import Negotiated
from smbd.ntstatus import NtError, NtStatus
from smbd.request import Reply, Request
from smbd.session import MOST_CHANNELS, Channel, Session
from smbd.wire.header import Dialect, Flags
from smbd.wire.session_setup import (
    SessionFlags,
    SessionSetupRequest,
    pack_session_setup_response,
)


async def bind(request: Request, message: SessionSetupRequest) -> Reply:
    """One round of a binding: its reply, or NtError.

    The user of the session proves itself once more, on another connection.  Until that is done the
    session's key signs both ways; what follows is signed by the channel's, which the new login
    gives.  A binding that fails leaves the session as it is.
    """
    connection = request.connection
    channel = _channel(request)
    session = channel.session
    hashed = connection.negotiated.dialect == Dialect.SMB_3_1_1
    if hashed:
        extend_preauth(request, channel)
    step = await next_step(request, channel, message.token, partial(_failed, request, channel))
    if step.identity is None:
        return more_processing(request, step.token, hashed=hashed)
    if connection.bindings.get(session.session_id) is not channel:
        raise NtError(NtStatus.USER_SESSION_DELETED)  # another request has ended it meanwhile
    _forget(request, channel)
    _establish(request, channel, step.identity)
    flags = SessionFlags.ENCRYPT_DATA if session.encrypt else 0
    reply = Reply(pack_session_setup_response(flags, step.token))
    reply.signer = channel.signer
    return reply


def _channel(request: Request) -> Channel:
    """The binding that a request goes on with, or a new one, on this connection.

    A client that has the session's key is refused by a signed response, and no other: it would
    sign whatever a stranger chose, under a nonce that the session has used, where that is GMAC's.
    """
    connection, service = request.connection, request.service
    session = service.sessions.get(request.session_id)
    if session is None:
        raise NtError(_refusal_of_connection(request, None) or NtStatus.USER_SESSION_DELETED)
    channel = connection.bindings.get(session.session_id)
    if channel is None or channel.session is not session:
        channel = connection.channel_of(session)
        channel.signer = session.signer
    verified = _verify(request, session)
    if verified and request.channel is None:
        request.channel = channel
    refusal = _refusal_of_connection(request, session.negotiated) or _refusal(
        request, session, verified=verified
    )
    if refusal:
        _forget(request, channel)
        raise NtError(refusal)
    if channel.exchange is None:
        if len(connection.channels) + len(connection.bindings) >= MOST_SESSIONS:
            raise NtError(NtStatus.INSUFFICIENT_RESOURCES)
        channel.exchange = service.authenticator.begin()
        connection.bindings[session.session_id] = channel
    return channel


def _verify(request: Request, session: Session) -> bool:
    """Whether the session's key has signed it ([MS-SMB2] 3.3.5.2.4)."""
    signed = request.flags & Flags.SIGNED and session.signer is not None
    return bool(signed and session.signer and session.signer.verify(request.frame))


def _refusal_of_connection(request: Request, its: Negotiated | None) -> int:
    """Why no session, or none that has negotiated `its`, can be bound to this connection; or 0.

    GMAC goes with GMAC alone, and any other algorithm with any other: as on Windows.
    """
    mine = request.connection.negotiated
    if not request.service.config.server.multichannel:
        return NtStatus.REQUEST_NOT_ACCEPTED
    if its is not None and mine.signing_algorithm != its.signing_algorithm:
        if its.signing_algorithm == AES_GMAC:
            return NtStatus.REQUEST_OUT_OF_SEQUENCE
        if mine.signing_algorithm == AES_GMAC:
            return NtStatus.NOT_SUPPORTED
    return NtStatus.REQUEST_NOT_ACCEPTED if mine.dialect < Dialect.SMB_3_0 else 0


def _refusal(request: Request, session: Session, *, verified: bool) -> int:
    """Why this session cannot be bound by this request, or 0: [MS-SMB2] 3.3.5.5, in its order."""
    mine, its, identity = request.connection.negotiated, session.negotiated, session.identity
    wrong = (
        (mine.dialect != its.dialect, NtStatus.INVALID_PARAMETER),
        (mine.cipher_id != its.cipher_id, NtStatus.INVALID_PARAMETER),
        (not request.flags & Flags.SIGNED, NtStatus.INVALID_PARAMETER),
        # It could not be told of breaks: leases belong to a ClientGuid.
        (mine.client_guid != its.client_guid, NtStatus.USER_SESSION_DELETED),
        (identity is None or session.suspended, NtStatus.REQUEST_NOT_ACCEPTED),
        (session.signer is None, NtStatus.NOT_SUPPORTED),  # a guest's, an anonymous client's
        (identity is not None and not identity.is_account, NtStatus.NOT_SUPPORTED),
        (session.session_id in request.connection.channels, NtStatus.REQUEST_NOT_ACCEPTED),
        (not verified, NtStatus.ACCESS_DENIED),
        (len(session.channels) >= MOST_CHANNELS, NtStatus.INSUFFICIENT_RESOURCES),
    )
    return next((status for is_wrong, status in wrong if is_wrong), 0)


def _establish(request: Request, channel: Channel, identity: Identity) -> None:
    """The user has proved itself ([MS-SMB2] 3.3.5.5.3): the session has one channel more."""
    connection, session = request.connection, channel.session
    if request.service.sessions.get(session.session_id) is not session or session.suspended:
        raise NtError(NtStatus.USER_SESSION_DELETED)
    owner = session.owner
    assert owner is not None, "it has logged in"
    if not owner.is_same_account(identity):
        connection.tell(
            *(logging.WARNING, "login failed", "the session of %s may not be bound by %s"),
            *(owner.user, identity.user or "anonymous"),
            user=owner.user,
        )
        raise NtError(NtStatus.ACCESS_DENIED)
    negotiated = connection.negotiated
    connection.join(channel)
    keys = derive_keys(
        negotiated.dialect, identity.session_key, channel.preauth, negotiated.cipher_id
    )
    channel.signer = make_signer(negotiated.signing_algorithm, keys.signing)
    request.session = session
    connection.logged_in(session)
    user, channels = owner.user, len(session.channels)
    text = "%s has %d connections in one session"
    connection.tell(logging.INFO, "channel bound", text, user, channels, user=user)


async def _failed(request: Request, channel: Channel) -> None:
    _forget(request, channel)


def _forget(request: Request, channel: Channel) -> None:
    """Its binding is over, whichever way."""
    end_login(channel)
    bindings, session_id = request.connection.bindings, channel.session.session_id
    if bindings.get(session_id) is channel:
        del bindings[session_id]
