"""SESSION_SETUP ([MS-SMB2] 3.3.5.5): a login, round by round, and the keys it gives."""

import logging
import time

import trio

from smbd.auth import Identity, Step
from smbd.commands.closing import end_session
from smbd.commands.reply import later
from smbd.connection import Connection
from smbd.crypto import Sealer, derive_keys, extend_preauth_hash, make_signer
from smbd.ntstatus import NtError, NtStatus, status_name
from smbd.request import Reply, Request
from smbd.session import Session
from smbd.wire.header import Dialect, SecurityMode
from smbd.wire.session_setup import (
    SessionFlags,
    SessionSetupFlags,
    SessionSetupRequest,
    pack_session_setup_response,
    parse_session_setup_request,
)

_log = logging.getLogger("smbd")


try_now = later  # a login may have to wait for those that failed before it


async def run(request: Request) -> Reply:
    """One round of a login: of a new session, or of one that proves itself again."""
    connection = request.connection
    message = parse_session_setup_request(request.frame)
    if message.flags & SessionSetupFlags.BINDING:
        # [MS-SMB2] 3.3.5.5: what a server without multichannel answers.
        raise NtError(NtStatus.REQUEST_NOT_ACCEPTED)
    session = _session(request)
    first = session.identity is None
    if first and connection.dialect == Dialect.SMB_3_1_1:
        session.preauth = extend_preauth_hash(session.preauth, request.frame)
    step = await _step(request, session, message)
    if step.identity is None:
        reply = Reply(pack_session_setup_response(0, step.token), NtStatus.MORE_PROCESSING_REQUIRED)
        reply.preauth = first and connection.dialect == Dialect.SMB_3_1_1
        return reply
    if first:
        if _must_seal_but_cannot(connection, step.identity):
            await end_session(request.service, session)
            raise NtError(NtStatus.ACCESS_DENIED)
        await _end_previous(request, message, step.identity)
        _establish(connection, session, message, step.identity)
    session.exchange = None
    reply = Reply(pack_session_setup_response(_flags(session), step.token))
    reply.signed = session.has_key
    return reply


def _session(request: Request) -> Session:
    """The session that the request goes on with, or a new one."""
    connection, service = request.connection, request.service
    if request.session_id:
        if request.session is None:
            raise NtError(NtStatus.USER_SESSION_DELETED)
        session = request.session
    else:
        session_id = service.new_session_id()
        session = Session(session_id, lambda: connection.forget(session_id), time.time())
        session.preauth = connection.preauth
        connection.sessions[session_id] = service.sessions[session_id] = session
        request.session, request.session_id = session, session_id
    if session.exchange is None:
        session.exchange = service.authenticator.begin()
    return session


async def _step(request: Request, session: Session, message: SessionSetupRequest) -> Step:
    """Give the token to the login; a failure ends it, and the session if it never was."""
    connection, brake = request.connection, request.service.brake
    assert session.exchange is not None
    try:
        step = session.exchange.step(message.token)
    except NtError as error:
        session.exchange = None
        if session.identity is None:
            await end_session(request.service, session)
            request.session = None
        _log.warning("%s: login failed: %s", connection.peer, status_name(error.status))
        # The wait holds back success and failure alike: it tells nobody which one comes.
        await trio.sleep(brake.failed(connection.address, time.monotonic()))
        raise
    if step.identity is not None:
        await trio.sleep(brake.delay(connection.address, time.monotonic()))
        _log.info("%s: %s logged in", connection.peer, step.identity.user or "anonymous")
    return step


async def _end_previous(request: Request, message: SessionSetupRequest, identity: Identity) -> None:
    """[MS-SMB2] 3.3.5.5.3: a client that comes back ends the session that it had before."""
    previous = request.service.sessions.get(message.previous_session_id)
    if previous is None or previous is request.session or previous.identity is None:
        return
    if previous.identity.user == identity.user:
        await end_session(request.service, previous)


def _must_seal_but_cannot(connection: Connection, identity: Identity) -> bool:
    """[MS-SMB2] 3.3.5.5: where encryption is required, nobody comes in without."""
    required = connection.service.config.server.encryption == "required"
    return required and not (connection.cipher_id and identity.session_key)


def _establish(
    connection: Connection, session: Session, message: SessionSetupRequest, identity: Identity
) -> None:
    """What a login gives: its keys, and whether they must be used."""
    server = connection.service.config.server
    session.identity = identity
    connection.logged_in()
    if not identity.session_key:
        return
    keys = derive_keys(
        connection.dialect, identity.session_key, session.preauth, connection.cipher_id
    )
    session.signer = make_signer(connection.signing_algorithm, keys.signing)
    session.application_key = keys.application
    session.signing_required = server.signing == "required" or bool(
        message.security_mode & SecurityMode.SIGNING_REQUIRED
    )
    if connection.cipher_id:
        session.sealer = Sealer(connection.cipher_id, keys.encryption, keys.decryption)
        session.encrypt = server.encryption in {"desired", "required"}


def _flags(session: Session) -> int:
    identity = session.identity
    assert identity is not None
    flags = SessionFlags.ENCRYPT_DATA if session.encrypt else 0
    if identity.is_anonymous:
        flags |= SessionFlags.IS_NULL
    elif identity.is_guest:
        flags |= SessionFlags.IS_GUEST
    return flags
