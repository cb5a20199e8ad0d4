"""TREE_CONNECT ([MS-SMB2] 3.3.5.7): a session enters a share."""

import logging

from smbd.auth import Identity
from smbd.events import about
from smbd.ntstatus import NtError, NtStatus, status_name
from smbd.request import Reply, Request
from smbd.service import Service
from smbd.session import Session
from smbd.share import Share
from smbd.vfs import Root
from smbd.wire.header import Dialect
from smbd.wire.tree_connect import (
    ShareCapabilities,
    ShareFlags,
    ShareType,
    pack_tree_connect_response,
    parse_tree_connect_request,
)

_log = logging.getLogger("smbd")

_FULL_ACCESS = 0x001F01FF
_READ_ACCESS = 0x001200A9  # FILE_GENERIC_READ | Access.FILE_EXECUTE
_IPC = "ipc$"
_LONGEST_NAME = 81  # [MS-SMB2] 3.3.5.7 has 80 characters: a longer one names no share
_MOST_TREES = 1024  # of one session; a client needs one for each share


def try_now(request: Request) -> Reply | None:
    """Connect to IPC$, or refuse; a share's folder may be a disk's that has to wake up."""
    if _find(request) is not None:
        return None
    tree = request.live_session().connect(None, _FULL_ACCESS, encrypt=False)
    request.tree_id = tree.tree_id
    return Reply(pack_tree_connect_response(ShareType.PIPE, 0, 0, _FULL_ACCESS))


async def run(request: Request) -> Reply:
    """Open the folder of the share, unless it is open already, and connect to it."""
    session = request.live_session()
    while True:
        share = _find(request)
        assert share is not None, "IPC$ needs no folder"
        root = await _open(request, share)
        if session.session_id not in request.service.sessions:
            raise NtError(NtStatus.USER_SESSION_DELETED)
        if _find(request) is share:  # the configuration may have been read again meanwhile
            break
    encrypt = _encrypts(session, share)
    identity = session.identity
    assert identity is not None, "the row of TREE_CONNECT needs a login"
    maximal = maximal_access(share, identity)
    tree = session.connect(share, maximal, encrypt=encrypt, root=root)
    request.tree_id = tree.tree_id
    flags = ShareFlags.ENCRYPT_DATA if encrypt else 0
    user = session.user or "anonymous"
    request.connection.tell(
        *(logging.INFO, "share connected", "%s connected to %s", user, share.name),
        user=user,
        share=share.name,
    )
    continuous = is_continuous(request.service, share, request.connection.negotiated.dialect)
    capabilities = ShareCapabilities.CONTINUOUS_AVAILABILITY if continuous else 0
    return Reply(pack_tree_connect_response(ShareType.DISK, flags, capabilities, maximal))


def is_continuous(service: Service, share: Share, dialect: int) -> bool:
    """TreeConnect.Share.IsCA, to a client that knows of it: handles there may be persistent."""
    records = service.records is not None
    return share.config.continuous and records and dialect >= Dialect.SMB_3_0


def _find(request: Request) -> Share | None:
    """The share that a request names; None for IPC$."""
    message = parse_tree_connect_request(request.frame)
    session = request.live_session()
    if len(session.trees) >= _MOST_TREES:
        raise NtError(NtStatus.INSUFFICIENT_RESOURCES)
    # The server's name is not looked at: people reach one server under many.
    name = message.path.removeprefix("\\\\").partition("\\")[2][:_LONGEST_NAME]
    if name.lower() == _IPC:
        return None
    share = request.service.shares.get(name.lower())
    refusal = _refusal(session, share)
    if share is None or refusal:
        user = session.user or "anonymous"
        request.connection.tell(
            *(logging.WARNING, "share refused", "%s may not connect to %s: %s"),
            *(user, name, status_name(refusal)),
            user=user,
            share=name,
        )
        raise NtError(refusal)
    return share


async def _open(request: Request, share: Share) -> Root:
    user = request.live_session().user
    try:
        return await share.workers.run_for(request.connection, share.open_root, user)
    except OSError as error:
        path, reason = share.config.home_of(user), error.strerror
        extra = about("share failed", share=share.name)
        _log.error("%s: %s cannot be served: %s", share.name, path, reason, extra=extra)
        raise NtError(NtStatus.BAD_NETWORK_NAME) from error


def _refusal(session: Session, share: Share | None) -> int:
    """Why this user may not enter a share, or 0."""
    if share is None:
        return NtStatus.BAD_NETWORK_NAME
    identity = session.identity
    assert identity is not None
    # [MS-SMB2] 3.3.5.7: a client that cannot seal cannot have a share that must be sealed.
    cannot = share.config.encryption == "required" and session.sealer is None
    return NtStatus.ACCESS_DENIED if cannot or not may_enter(share, identity) else 0


def _encrypts(session: Session, share: Share) -> bool:
    """Whether what follows must be sealed."""
    return share.config.encryption != "off" and session.sealer is not None


def may_enter(share: Share, identity: Identity) -> bool:
    """Whether a share is for this user."""
    if not identity.is_account:
        return bool(share.config.guest)
    return share.config.allows(identity.user)


def maximal_access(share: Share, identity: Identity) -> int:
    """TreeConnect.MaximalAccess: no open of this user goes beyond it, whatever the file allows."""
    user = identity.user if identity.is_account else None
    return _FULL_ACCESS if share.config.may_write(user) else _READ_ACCESS
