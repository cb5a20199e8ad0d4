"""What must hold before a request reaches its command: the checks of [MS-SMB2] 3.3.5.2, by row."""

from collections.abc import Sequence

from smbd.ntstatus import NtError, NtStatus, ProtocolError
from smbd.protection import check_signature
from smbd.request import Request
from smbd.rows import PIPE_ROWS
from smbd.session import Session, Tree
from smbd.wire.header import Command

# In one frame: its length has 24 bits ([MS-SMB2] 2.1), but it is signed or sealed in one piece, and
# 8 MiB, the largest READ, take up to 9 ms of that (measured).
_MOST_DATA = 8 << 20

_LOOKS = frozenset((Command.CREATE, Command.QUERY_INFO))


def largest_payload(request: Request) -> int:
    """How many bytes of data its response may carry."""
    return 65536 * (request.credit_charge or 1) if request.row.moves_data else 0


def bound(requests: Sequence[Request]) -> None:
    """Refuse what could make the one frame of the answers longer than its length can say."""
    room = _MOST_DATA
    for request in requests:
        if request.row.moves_data:
            room -= largest_payload(request)
        if room < 0 and not request.refusal:
            request.refusal = NtStatus.INSUFFICIENT_RESOURCES


def follow(request: Request, before: Request) -> None:
    """Take over session, tree and file from the request before ([MS-SMB2] 3.3.5.2.7.2).

    Where that one was refused there is nothing to take over.  Where it merely failed there is:
    a CLOSE behind a QUERY_INFO that failed still closes what the CREATE before both opened.  A
    CREATE takes over no file: if it fails, what follows must not get the one before.

    What the CREATE has found out about the file this moment need not be asked again: all of them
    came together, and between them nothing is done to the file.
    """
    if before.refusal:
        request.refusal = NtStatus.INVALID_PARAMETER
    request.channel, request.session = before.channel, before.session
    request.session_id = before.session_id
    request.tree_id = before.tree_id
    if request.command != Command.CREATE:
        request.open, request.pipe = before.open, before.pipe
        if before.command in _LOOKS:
            request.known = before.known


def check_negotiated(request: Request) -> None:
    """[MS-SMB2] 3.3.5.2: what comes before a NEGOTIATE costs the connection."""
    if not request.connection.negotiated.dialect:
        raise ProtocolError("the first request is not NEGOTIATE")


def check_session(request: Request) -> Session:
    """The session of a request ([MS-SMB2] 3.3.5.2.9)."""
    session = request.session
    if session is None or session.identity is None:
        request.refusal = NtStatus.USER_SESSION_DELETED
        raise NtError(request.refusal)
    if session.suspended:
        _check_suspended(request, session)
    if not request.checked:
        # The login came in the same frame: only now there is a key, and a reason, to ask.
        check_signature(request)
        if request.refusal:
            raise NtError(request.refusal)
    return session


def _check_suspended(request: Request, session: Session) -> None:
    """[MS-SMB2] 3.3.5.2.9: until a session has proved itself again it can only let go of things.

    The status is ours to choose: this one makes a client prove itself and ask again.
    """
    if request.connection.channels.get(session.session_id) is not request.channel:
        request.refusal = NtStatus.USER_SESSION_DELETED
    elif not request.row.while_suspended:
        request.refusal = NtStatus.NETWORK_SESSION_EXPIRED
    if request.refusal:
        raise NtError(request.refusal)


def check_tree(request: Request, session: Session) -> Tree:
    """The tree connect of a request ([MS-SMB2] 3.3.5.2.11); on IPC$ it has another row."""
    tree = session.trees.get(request.tree_id)
    if tree is None:
        raise NtError(NtStatus.NETWORK_NAME_DELETED)
    if tree.encrypt and not request.sealed:
        raise NtError(NtStatus.ACCESS_DENIED)
    if tree.barred and request.command == Command.CREATE:
        raise NtError(NtStatus.ACCESS_DENIED)
    request.tree = tree
    if tree.share is None:
        request.row = PIPE_ROWS.get(request.command, request.row)
    return tree
