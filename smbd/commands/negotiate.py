"""NEGOTIATE ([MS-SMB2] 3.3.5.3 and 3.3.5.4): which dialect, and what of it."""

import secrets
import time

from smbd.commands.reply import never
from smbd.config import DIALECTS
from smbd.connection import SMB1_NEGOTIATE, Connection
from smbd.crypto import AES_128_CCM, CIPHERS, SIGNERS, extend_preauth_hash, signing_algorithm
from smbd.ntstatus import NtError, NtStatus, ProtocolError
from smbd.request import Reply, Request
from smbd.wire import negotiate_contexts as contexts
from smbd.wire.filetime import filetime_from_unix
from smbd.wire.header import Capabilities, Dialect, SecurityMode
from smbd.wire.negotiate import (
    NegotiateRequest,
    NegotiateResponse,
    pack_negotiate_response,
    parse_negotiate_request,
)
from smbd.wire.negotiate_contexts import ContextType, HashAlgorithm
from smbd.wire.smb1 import parse_smb1_negotiate

_SALT_SIZE = 32  # as Windows sends; the specification leaves it open


def try_now(request: Request) -> Reply | None:
    """Agree on a dialect; nothing here waits."""
    connection = request.connection
    if request.command == SMB1_NEGOTIATE:
        return _smb1(request)
    if connection.dialect:
        raise ProtocolError("a second NEGOTIATE")
    message = parse_negotiate_request(request.frame)
    if not message.dialects:
        raise NtError(NtStatus.INVALID_PARAMETER)
    dialect = _choose(connection, message.dialects)
    answers: list[tuple[int, bytes]] = []
    connection.signing_algorithm = signing_algorithm(dialect)
    if dialect == Dialect.SMB_3_1_1:
        answers = _contexts(connection, message)
    _agree(connection, message, dialect)
    reply = Reply(_response(connection, dialect, answers))
    if dialect == Dialect.SMB_3_1_1:
        connection.preauth = extend_preauth_hash(connection.preauth, request.frame)
        reply.preauth = True
    return reply


run = never


def _smb1(request: Request) -> Reply:
    """[MS-SMB2] 3.3.5.3.1: an SMB1 NEGOTIATE that knows of SMB2 gets an SMB2 answer."""
    server = request.service.config.server
    offered = parse_smb1_negotiate(request.frame)
    connection = request.connection
    if "SMB 2.???" in offered and server.max_dialect > Dialect.SMB_2_0_2:
        # The dialect stays open: a NEGOTIATE of SMB2's own follows.
        return Reply(_response(connection, Dialect.WILDCARD, []))
    if "SMB 2.002" in offered and server.min_dialect == Dialect.SMB_2_0_2:
        message = NegotiateRequest(0, 0, bytes(16), [Dialect.SMB_2_0_2], [])
        connection.signing_algorithm = signing_algorithm(Dialect.SMB_2_0_2)
        _agree(connection, message, Dialect.SMB_2_0_2)
        return Reply(_response(connection, Dialect.SMB_2_0_2, []))
    raise ProtocolError("an SMB1 client that knows no SMB2")


def _choose(connection: Connection, offered: list[int]) -> int:
    """The greatest dialect that both sides speak."""
    server = connection.service.config.server
    common = [
        dialect
        for dialect in DIALECTS.values()
        if dialect in offered and server.min_dialect <= dialect <= server.max_dialect
    ]
    if not common:
        raise NtError(NtStatus.NOT_SUPPORTED)
    return max(common)


def _contexts(connection: Connection, message: NegotiateRequest) -> list[tuple[int, bytes]]:
    """[MS-SMB2] 3.3.5.4: answer what we know, ignore the rest, refuse what comes twice."""
    kinds = [kind for kind, _ in message.contexts]
    known = [kind for kind in kinds if kind in _KNOWN_CONTEXTS]
    if len(known) != len(set(known)) or ContextType.PREAUTH_INTEGRITY not in known:
        raise NtError(NtStatus.INVALID_PARAMETER)
    answers = []
    for kind, data in message.contexts:
        if kind == ContextType.PREAUTH_INTEGRITY:
            hashes = contexts.parse_preauth_integrity(data).hash_algorithms
            if HashAlgorithm.SHA_512 not in hashes:
                raise NtError(NtStatus.NO_PREAUTH_INTEGRITY_HASH_OVERLAP)
            salt = secrets.token_bytes(_SALT_SIZE)
            answers.append((kind, contexts.pack_preauth_integrity(HashAlgorithm.SHA_512, salt)))
        elif kind == ContextType.ENCRYPTION:
            offered = contexts.parse_encryption(data)
            cipher = next((one for one in CIPHERS if one in offered), 0)
            connection.cipher_id = cipher
            answers.append((kind, contexts.pack_encryption(cipher)))
        elif kind == ContextType.SIGNING:
            offered = contexts.parse_signing(data)
            signer = next((one for one in SIGNERS if one in offered), None)
            connection.signing_algorithm = signing_algorithm(Dialect.SMB_3_1_1, signer)
            if signer is not None:
                answers.append((kind, contexts.pack_signing(signer)))
        elif kind == ContextType.COMPRESSION:
            # None of it: page-cache hits are not worth the CPU.  Left out, compression is off.
            contexts.parse_compression(data)
    return answers


_KNOWN_CONTEXTS = frozenset(
    (
        ContextType.PREAUTH_INTEGRITY,
        ContextType.ENCRYPTION,
        ContextType.COMPRESSION,
        ContextType.SIGNING,
        ContextType.NETNAME,
    )
)


def _agree(connection: Connection, message: NegotiateRequest, dialect: int) -> None:
    """Set what the dialect brings ([MS-SMB2] 3.3.5.4)."""
    server = connection.service.config.server
    connection.dialect = dialect
    connection.client_guid = bytes(message.client_guid)
    connection.client_capabilities = message.capabilities
    connection.client_security_mode = message.security_mode
    connection.client_dialects = tuple(message.dialects)
    connection.security_mode = _security_mode(connection)
    if dialect >= Dialect.SMB_2_1:
        connection.multi_credit = True
        connection.capabilities |= Capabilities.LARGE_MTU
        connection.max_read = server.limits.max_read
        connection.max_write = server.limits.max_write
        connection.max_transact = server.limits.max_transact
    if dialect in {Dialect.SMB_3_0, Dialect.SMB_3_0_2} and (
        message.capabilities & Capabilities.ENCRYPTION
    ):
        connection.cipher_id = AES_128_CCM
        connection.capabilities |= Capabilities.ENCRYPTION


def _security_mode(connection: Connection) -> int:
    required = connection.service.config.server.signing == "required"
    return SecurityMode.SIGNING_ENABLED | (SecurityMode.SIGNING_REQUIRED if required else 0)


def _response(connection: Connection, dialect: int, answers: list[tuple[int, bytes]]) -> bytes:
    return pack_negotiate_response(
        NegotiateResponse(
            _security_mode(connection),
            dialect,
            connection.service.guid,
            connection.capabilities,
            connection.max_transact,
            connection.max_read,
            connection.max_write,
            filetime_from_unix(time.time_ns()),
            token=connection.service.authenticator.negotiate_token,
            contexts=answers,
        )
    )
