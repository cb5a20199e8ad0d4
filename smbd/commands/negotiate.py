"""NEGOTIATE ([MS-SMB2] 3.3.5.3 and 3.3.5.4): which dialect, and what of it."""

import secrets
import time
from dataclasses import dataclass, field, replace

from smbd.commands.reply import never
from smbd.config import DIALECTS, ServerConfig
from smbd.crypto import AES_128_CCM, CIPHERS, SIGNERS, extend_preauth_hash, signing_algorithm
from smbd.negotiated import Negotiated
from smbd.ntstatus import NtError, NtStatus, ProtocolError
from smbd.request import Reply, Request
from smbd.rows import SMB1_NEGOTIATE
from smbd.service import Service
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
from smbd.wire.smb1 import pack_no_common_dialect, parse_smb1_negotiate

_SALT_SIZE = 32  # as Windows sends; the specification leaves it open


def try_now(request: Request) -> Reply | None:
    """Agree on a dialect; nothing here waits."""
    connection = request.connection
    if request.command == SMB1_NEGOTIATE:
        return _smb1(request)
    if connection.negotiated.dialect:
        raise ProtocolError("a second NEGOTIATE")
    message = parse_negotiate_request(request.frame)
    if not message.dialects:
        raise NtError(NtStatus.INVALID_PARAMETER)
    dialect = _choose(request.service.config.server, message.dialects)
    chosen = Chosen(signing_algorithm(dialect))
    if dialect == Dialect.SMB_3_1_1:
        chosen = _contexts(message)
    elif dialect >= Dialect.SMB_3_0 and message.capabilities & Capabilities.ENCRYPTION:
        chosen.cipher_id = AES_128_CCM
    connection.negotiated = _agree(request.service, message, dialect, chosen)
    reply = Reply(_response(request.service, connection.negotiated, chosen.answers))
    if dialect == Dialect.SMB_3_1_1:
        connection.preauth = extend_preauth_hash(connection.preauth, request.frame)
        reply.preauth = True
    return reply


run = never


def _smb1(request: Request) -> Reply:
    """[MS-SMB2] 3.3.5.3.1: an SMB1 NEGOTIATE that knows of SMB2 gets an SMB2 answer."""
    server = request.service.config.server
    offered = parse_smb1_negotiate(request.frame)
    if "SMB 2.???" in offered and server.max_dialect > Dialect.SMB_2_0_2:
        # The dialect stays open: a NEGOTIATE of SMB2's own follows.
        open_ = Negotiated(dialect=Dialect.WILDCARD, security_mode=_security_mode(server))
        return Reply(_response(request.service, open_, []))
    if "SMB 2.002" in offered and server.min_dialect == Dialect.SMB_2_0_2:
        message = NegotiateRequest(0, 0, bytes(16), [Dialect.SMB_2_0_2], [])
        chosen = Chosen(signing_algorithm(Dialect.SMB_2_0_2))
        agreed = _agree(request.service, message, Dialect.SMB_2_0_2, chosen)
        request.connection.negotiated = agreed
        return Reply(_response(request.service, agreed, []))
    # curl's SMB1 client would try again for ever on a connection that is closed without a word.
    raise ProtocolError("an SMB1 client that knows no SMB2", pack_no_common_dialect(request.frame))


def _choose(server: ServerConfig, offered: list[int]) -> int:
    """The greatest dialect that both sides speak."""
    common = [
        dialect
        for dialect in DIALECTS.values()
        if dialect in offered and server.min_dialect <= dialect <= server.max_dialect
    ]
    if not common:
        raise NtError(NtStatus.NOT_SUPPORTED)
    return max(common)


@dataclass(slots=True)
class Chosen:
    """What was agreed on beside the dialect, and the contexts that say so."""

    signing_algorithm: int
    cipher_id: int = 0  # 0: none
    answers: list[tuple[int, bytes]] = field(default_factory=list)


def _contexts(message: NegotiateRequest) -> Chosen:
    """[MS-SMB2] 3.3.5.4: unknown contexts are ignored, and one that comes twice is refused."""
    offered = {kind: data for kind, data in message.contexts if kind in _KNOWN_CONTEXTS}
    if len(offered) != sum(kind in _KNOWN_CONTEXTS for kind, _ in message.contexts):
        raise NtError(NtStatus.INVALID_PARAMETER)
    if ContextType.PREAUTH_INTEGRITY not in offered:
        raise NtError(NtStatus.INVALID_PARAMETER)
    hashes = contexts.parse_preauth_integrity(offered[ContextType.PREAUTH_INTEGRITY])
    if HashAlgorithm.SHA_512 not in hashes.hash_algorithms:
        raise NtError(NtStatus.NO_PREAUTH_INTEGRITY_HASH_OVERLAP)
    if ContextType.COMPRESSION in offered:
        # Read, since a client that gets it wrong is to hear of it; not answered, which declines:
        # what comes from the page cache is sent faster than it is compressed.
        contexts.parse_compression(offered[ContextType.COMPRESSION])
    chosen = Chosen(signing_algorithm(Dialect.SMB_3_1_1))
    salt = secrets.token_bytes(_SALT_SIZE)
    preauth = contexts.pack_preauth_integrity(HashAlgorithm.SHA_512, salt)
    chosen.answers.append((ContextType.PREAUTH_INTEGRITY, preauth))
    if ContextType.ENCRYPTION in offered:
        _choose_cipher(chosen, contexts.parse_encryption(offered[ContextType.ENCRYPTION]))
    if ContextType.SIGNING in offered:
        _choose_signer(chosen, contexts.parse_signing(offered[ContextType.SIGNING]))
    return chosen


def _choose_cipher(chosen: Chosen, offered: list[int]) -> None:
    """Our favourite of those offered; a client is told also that there is none."""
    chosen.cipher_id = next((one for one in CIPHERS if one in offered), 0)
    answer = contexts.pack_encryption(chosen.cipher_id)
    chosen.answers.append((ContextType.ENCRYPTION, answer))


def _choose_signer(chosen: Chosen, offered: list[int]) -> None:
    """Our favourite of those offered; without an answer it is AES-CMAC, which all of 3.x know."""
    signer = next((one for one in SIGNERS if one in offered), None)
    if signer is not None:
        chosen.signing_algorithm = signer
        chosen.answers.append((ContextType.SIGNING, contexts.pack_signing(signer)))


# TRANSPORT and RDMA_TRANSFORM are for QUIC and RDMA, which are not here: no answer declines them.
# NETNAME is not looked at: people reach one server under many names.
_KNOWN_CONTEXTS = frozenset(
    (
        ContextType.PREAUTH_INTEGRITY,
        ContextType.ENCRYPTION,
        ContextType.COMPRESSION,
        ContextType.NETNAME,
        ContextType.TRANSPORT,
        ContextType.RDMA_TRANSFORM,
        ContextType.SIGNING,
    )
)


def _capabilities(
    server: ServerConfig, message: NegotiateRequest, dialect: int, chosen: Chosen
) -> int:
    """[MS-SMB2] 3.3.5.4: those that a dialect has, and that some need the client to have too."""
    found = 0
    if dialect >= Dialect.SMB_2_1:
        found |= Capabilities.LARGE_MTU | _leasing(server, dialect, message.capabilities)
    if dialect >= Dialect.SMB_3_0 and server.multichannel:
        found |= message.capabilities & Capabilities.MULTI_CHANNEL
    if chosen.cipher_id and dialect < Dialect.SMB_3_1_1:
        found |= Capabilities.ENCRYPTION  # 3.1.1 says by a context that it can seal
    return found


def _agree(service: Service, message: NegotiateRequest, dialect: int, chosen: Chosen) -> Negotiated:
    """What the dialect brings ([MS-SMB2] 3.3.5.4)."""
    server, capabilities = service.config.server, 0
    if service.records is not None and dialect >= Dialect.SMB_3_0:
        capabilities = message.capabilities & Capabilities.PERSISTENT_HANDLES
    agreed = Negotiated(
        dialect=dialect,
        capabilities=capabilities | _capabilities(server, message, dialect, chosen),
        security_mode=_security_mode(server),
        cipher_id=chosen.cipher_id,
        signing_algorithm=chosen.signing_algorithm,
        client_guid=bytes(message.client_guid),
        client_capabilities=message.capabilities,
        client_security_mode=message.security_mode,
        client_dialects=tuple(message.dialects),
    )
    if dialect < Dialect.SMB_2_1:
        return agreed
    return replace(
        agreed,
        multi_credit=True,
        max_read=server.limits.max_read,
        max_write=server.limits.max_write,
        max_transact=server.limits.max_transact,
    )


def _leasing(server: ServerConfig, dialect: int, offered: int) -> int:
    """Leases are for 2.1 and later; those of directories for 3.x and clients that want them."""
    if not server.leases:
        return 0
    directories = dialect >= Dialect.SMB_3_0 and offered & Capabilities.DIRECTORY_LEASING
    return Capabilities.LEASING | (Capabilities.DIRECTORY_LEASING if directories else 0)


def _security_mode(server: ServerConfig) -> int:
    required = server.signing == "required"
    return SecurityMode.SIGNING_ENABLED | (SecurityMode.SIGNING_REQUIRED if required else 0)


def _response(service: Service, agreed: Negotiated, answers: list[tuple[int, bytes]]) -> bytes:
    return pack_negotiate_response(
        NegotiateResponse(
            agreed.security_mode,
            agreed.dialect,
            service.guid,
            agreed.capabilities,
            agreed.max_transact,
            agreed.max_read,
            agreed.max_write,
            filetime_from_unix(time.time_ns()),
            token=service.authenticator.negotiate_token,
            contexts=answers,
        )
    )
