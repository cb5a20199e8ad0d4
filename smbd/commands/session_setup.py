"""SESSION_SETUP ([MS-SMB2] 3.3.5.5): a login, round by round, and the keys it gives."""

import logging
from functools import partial

from smbd.auth import Identity
from smbd.commands.binding import bind
from smbd.commands.logins import (
    MOST_SESSIONS,
    end_login,
    extend_preauth,
    more_processing,
    next_step,
)
from smbd.commands.reply import later
from smbd.commands.tree_connect import maximal_access, may_enter
from smbd.crypto import Sealer, derive_keys, make_signer
from smbd.memory import KEYS, SESSION, Holding
from smbd.ntstatus import NtError, NtStatus
from smbd.request import ConnectionView, Reply, Request
from smbd.session import Channel, Session
from smbd.teardown import end_session
from smbd.wire.header import Dialect, SecurityMode
from smbd.wire.session_setup import (
    SessionFlags,
    SessionSetupFlags,
    SessionSetupRequest,
    pack_session_setup_response,
    parse_session_setup_request,
)

try_now = later  # a login may have to wait for those that failed before it


async def run(request: Request) -> Reply:
    """One round of a login: of a new session, or of one that proves itself again."""
    connection = request.connection
    message = parse_session_setup_request(request.frame)
    if _must_seal(connection) and not connection.negotiated.cipher_id:
        # [MS-SMB2] 3.3.5.5: a client that cannot seal is not even asked for a password.
        raise NtError(NtStatus.ACCESS_DENIED)
    if message.flags & SessionSetupFlags.BINDING:
        return await bind(request, message)
    channel = _channel(request)
    session = channel.session
    first = session.identity is None
    hashed = first and connection.negotiated.dialect == Dialect.SMB_3_1_1
    if hashed:
        extend_preauth(request, channel)
    step = await next_step(request, channel, message.token, partial(_failed, request, session))
    if step.identity is None:
        return more_processing(request, step.token, hashed=hashed)
    _check_alive(connection, channel)
    if first:
        await _begin(request, channel, message, step.identity)
    else:
        await _renew(request, session, step.identity)
    end_login(channel)
    reply = Reply(pack_session_setup_response(_flags(session), step.token))
    reply.signer = channel.signer
    return reply


def _channel(request: Request) -> Channel:
    """The session that the request goes on with, or a new one, on this connection."""
    connection, service = request.connection, request.service
    if request.session_id:
        if request.channel is None:
            raise NtError(NtStatus.USER_SESSION_DELETED)
        channel = request.channel
    else:
        if len(connection.channels) + len(connection.bindings) >= MOST_SESSIONS:
            raise NtError(NtStatus.INSUFFICIENT_RESOURCES)
        session = Session(
            service.new_session_id(),
            connection.now,
            connection.negotiated,
            connection.network,
            memory=Holding(connection.memory, SESSION),
        )
        service.sessions[session.session_id] = session
        channel = connection.add_channel(session)
        request.channel, request.session = channel, session
        request.session_id = session.session_id
    if channel.exchange is None:
        channel.exchange = service.authenticator.begin()
        channel.session.suspended = channel.session.identity is not None
    return channel


async def _failed(request: Request, session: Session) -> None:
    """A login that fails ends the session, old or new ([MS-SMB2] 3.3.5.5.3)."""
    await end_session(request.service, session)
    if session.identity is None:
        request.channel = request.session = None  # nothing to sign the answer with


def _check_alive(connection: ConnectionView, channel: Channel) -> None:
    """Whether a session outlived a wait.

    Its exchange stays until all is settled, and answers no token any more: so a SESSION_SETUP
    that comes meanwhile ends the session.  Otherwise it would begin a second login in it.
    """
    if connection.channels.get(channel.session.session_id) is not channel:
        raise NtError(NtStatus.USER_SESSION_DELETED)


async def _begin(
    request: Request, channel: Channel, message: SessionSetupRequest, identity: Identity
) -> None:
    """A new login has succeeded ([MS-SMB2] 3.3.5.5.3)."""
    connection, service, session = request.connection, request.service, channel.session
    if _must_seal(connection) and not identity.session_key:
        await end_session(service, session)
        raise NtError(NtStatus.ACCESS_DENIED)
    previous = service.sessions.get(message.previous_session_id)
    if previous is not None and previous is not session and _is_same(previous, identity):
        # A client that comes back after its connection broke.
        await end_session(service, previous, preserve=True)
        _check_alive(connection, channel)
    _establish(connection, channel, message, identity)
    connection.logged_in(session)
    if session.has_key:  # counted only now, as a connection may hold little before its first login
        if not connection.memory.has_room(KEYS):
            await end_session(service, session)
            raise NtError(NtStatus.INSUFFICIENT_RESOURCES)
        session.memory.grow(KEYS)
    name = _name(identity)
    connection.tell(logging.INFO, "logged in", "%s logged in", name, user=name)


def _is_same(previous: Session, identity: Identity) -> bool:
    """Whether the account's own login began a session, whatever it has become since."""
    first = previous.first_identity
    return first is not None and first.is_same_account(identity)


def _establish(
    connection: ConnectionView, channel: Channel, message: SessionSetupRequest, identity: Identity
) -> None:
    """What a login gives: its keys, and whether they must be used."""
    server, negotiated = connection.service.config.server, connection.negotiated
    session = channel.session
    session.identity = session.first_identity = identity
    if not identity.session_key:
        return
    keys = derive_keys(
        negotiated.dialect, identity.session_key, channel.preauth, negotiated.cipher_id
    )
    for note in connection.service.note_keys:
        note(session.session_id, identity.session_key, keys)
    session.signer = channel.signer = make_signer(negotiated.signing_algorithm, keys.signing)
    session.signing_required = server.signing == "required" or bool(
        message.security_mode & SecurityMode.SIGNING_REQUIRED
    )
    if negotiated.cipher_id:
        session.sealer = Sealer(negotiated.cipher_id, keys.encryption, keys.decryption)
        session.encrypt = server.encryption in {"desired", "required"}


async def _renew(request: Request, session: Session, identity: Identity) -> None:
    """A session has proved itself again; its keys stay ([MS-SMB2] 3.3.5.5.2).

    The keys are those of its first login.  A client that has them could otherwise relay the login
    of any account: NTLM's messages prove an account, but not to which server.  So the account of
    the first login alone may have rights here.  Clients do give them up for a while and take them
    again: as anonymous, and then as the same account.  Opens stay meanwhile, as on Windows and
    Samba, but a guest opens nothing in a share that is not for guests.
    """
    before, first = session.user, session.first_identity
    assert first is not None
    if not identity.adds_nothing_to(first):
        names = _name(first), _name(identity)
        request.connection.tell(
            *(logging.WARNING, "login failed", "the session of %s may not become %s", *names),
            user=names[0],
        )
        await end_session(request.service, session)
        raise NtError(NtStatus.ACCESS_DENIED)
    session.identity = identity
    session.suspended = False
    for tree in session.trees.values():
        if tree.share is not None:
            tree.barred = not may_enter(tree.share, identity)
            tree.maximal_access = maximal_access(tree.share, identity)
    if identity.user != before:
        names = before or "anonymous", _name(identity)
        request.connection.tell(logging.INFO, "logged in", "%s is now %s", *names, user=names[1])


def _name(identity: Identity) -> str:
    return identity.user or "anonymous"


def _must_seal(connection: ConnectionView) -> bool:
    return connection.service.config.server.encryption == "required"


def _flags(session: Session) -> int:
    identity = session.identity
    assert identity is not None
    flags = SessionFlags.ENCRYPT_DATA if session.encrypt else 0
    if identity.is_anonymous:
        flags |= SessionFlags.IS_NULL
    elif identity.is_guest:
        flags |= SessionFlags.IS_GUEST
    return flags
