"""Signatures and seals: what a request must carry, and what its replies get.

[MS-SMB2] 3.3.5.2.4 (verifying), 3.3.4.1.1 (signing) and 3.3.4.1.4 (encrypting).
"""

from collections.abc import Sequence
from typing import TypeAlias

from smbd.crypto import extend_preauth_hash
from smbd.ntstatus import NtStatus, ProtocolError
from smbd.request import Reply, Request
from smbd.session import Session
from smbd.wire.header import SIGNATURE, Command, Dialect, Flags

Buffer: TypeAlias = bytearray | bytes | memoryview
# Asked for each message: a class's name would be looked up each time.
_SIGNED, _TREE_CONNECT = Flags.SIGNED, Command.TREE_CONNECT


def check_signature(request: Request) -> None:
    """[MS-SMB2] 3.3.5.2.4: verify what is signed, refuse what had to be and is not."""
    channel = request.channel
    if channel is None:
        return  # the command's row says whether it needs one
    session = channel.session
    request.checked = session.identity is not None
    guarded = request.checked and not request.row.unprotected
    if guarded and session.encrypt and request.command != Command.SESSION_SETUP:
        request.refusal = NtStatus.ACCESS_DENIED
    elif request.flags & _SIGNED:
        if channel.signer is not None and not channel.signer.verify(request.frame):
            request.refusal = NtStatus.ACCESS_DENIED
    elif guarded:
        # In a session that encrypts, a SESSION_SETUP may come signed instead of sealed; with
        # neither anybody on the way could take its rights from it.
        if session.signing_required or session.encrypt:
            request.refusal = NtStatus.ACCESS_DENIED
        elif (
            request.command == _TREE_CONNECT
            and request.connection.negotiated.dialect == Dialect.SMB_3_1_1
            and session.has_key
        ):
            # 3.3.5.7: a TREE_CONNECT that nothing protects means a man in the middle.
            raise ProtocolError("TREE_CONNECT neither signed nor sealed")


def protect(request: Request, reply: Reply) -> None:
    """Sign as [MS-SMB2] 3.3.4.1.1 says, and go on with the preauth hash."""
    channel = request.channel
    if channel is None:
        if request.flags & Flags.SIGNED:
            # There is no key.  Windows and Samba leave the request's signature where it was,
            # and by that Samba's clients know that USER_SESSION_DELETED is meant for them.
            reply.frame[20] |= Flags.SIGNED
            reply.frame[52:68] = request.frame[SIGNATURE]
    elif not request.sealed:
        signer, session = reply.signer, channel.session
        if (request.flags & _SIGNED and not request.refusal) or (
            session.signing_required and session.identity is not None
        ):
            signer = signer or channel.signer
        # An interim response goes unsigned: it says nothing, and under GMAC, whose nonce is the
        # MessageId, a second signature with the same nonce would give the key away.
        if signer is not None and reply.status != NtStatus.PENDING:
            frame = reply.frame
            frame[20] |= Flags.SIGNED  # Flags stand at 16 of the header, after 4 of NetBIOS
            signer.sign_into(frame, 4)
    if reply.preauth:
        message = memoryview(reply.frame)[4:]
        hashed = channel or request.connection
        hashed.preauth = extend_preauth_hash(hashed.preauth, message)


def seal(session: Session, parts: Sequence[Buffer]) -> list[Buffer]:
    """The buffers of one whole frame, sealed by a session that has the keys for it."""
    assert session.sealer is not None
    pieces = session.sealer.seal(session.session_id, parts)
    return [sum(map(len, pieces)).to_bytes(4, "big"), *pieces]


def seal_frame(session: Session, frame: bytearray) -> list[Buffer]:
    """The same of one message, behind four bytes for its length: in place."""
    assert session.sealer is not None
    return session.sealer.seal_frame(session.session_id, frame)
