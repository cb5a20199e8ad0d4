"""The visits (commands.visit) of one connection: frames that differ from one before by the name.

The first of a form goes through dispatch and the commands, each of which makes its checks.  What
they check in the bytes holds for every frame with the same bytes; what may change (the session, the
tree connect, signatures, credits, the file) is checked for each.  Whatever is odd goes to dispatch,
with nothing done.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from struct import Struct

from smbd.auth import Identity
from smbd.checking import check_session, check_tree
from smbd.commands.visit import Visit, pay, visit_of
from smbd.connection import Connection
from smbd.ntstatus import NtError
from smbd.protection import check_signature
from smbd.request import Request
from smbd.rows import ROWS
from smbd.session import Channel
from smbd.vfs import parse_name
from smbd.wire.bounds import text
from smbd.wire.header import HEADER_SIZE, PROTOCOL_ID, Command, Flags

MOST_REQUESTS = 6
_MOST_FORMS = 16
_NAME_AT = 120  # in a CREATE, where all clients put it
_CREATE = Struct(
    "<"
    "4s"   # ProtocolId
    "16s"  # StructureSize to Flags
    "I"    # NextCommand
    "Q"    # MessageId
    "16s"  # Reserved, TreeId, SessionId
    "16x"  # Signature
    "46s"  # the body up to NameOffset
    "H"    # NameLength
    "8s"   # CreateContextsOffset, CreateContextsLength
)  # fmt: skip
_COMMAND_AT = 12
_FLAGS = Flags.RELATED_OPERATIONS | Flags.SIGNED | Flags.PRIORITY_MASK
_HEADER = Struct(
    "<"
    "4s"   # ProtocolId
    "H"    # StructureSize
    "H"    # CreditCharge
    "4x"   # Status: SUCCESS
    "H"    # Command
    "H"    # CreditResponse
    "I"    # Flags
    "I"    # NextCommand
    "Q"    # MessageId
    "16s"  # Reserved, TreeId, SessionId
    "16x"  # Signature
)  # fmt: skip
_HOLDER = Struct("<IIQ")
_PADDING = [bytes(-size % 8) for size in range(8)]


@dataclass(slots=True, frozen=True)
class _Part:
    """The header of one request of a visit, as far as each has the same."""

    command: int
    credit_charge: int
    credit_request: int
    flags: int  # of the response
    start: int  # from the end of the CREATE
    end: int


@dataclass(slots=True)
class _Form:
    """All of a visit but the name, the message ids and signatures; and what to do about it."""

    visit: Visit
    session_id: int
    tree_id: int
    sequence: int
    flags: int
    identity: Identity | None  # whose rights the visit has
    parts: list[_Part]
    holder: bytes  # Reserved, TreeId and SessionId of the responses
    fixed: Struct  # of what is behind the CREATE, all but ids and signatures ...
    same: tuple[bytes, ...]  # ... and what it gives
    ids: Struct


class Visits:
    """The forms of visits that one connection has made."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._forms: dict[tuple[bytes, bytes, bytes, bytes, int], _Form] = {}
        self._useful = True  # one of those that were learnt lately has come again

    # --- what is known ---

    def learn(self, requests: Sequence[Request]) -> None:
        """The commands have answered a compound at once, and with success."""
        first, *others = requests
        signed = first.flags & Flags.SIGNED
        for request in requests:
            if (
                request.flags & ~_FLAGS
                or request.flags & Flags.SIGNED != signed
                or request.credit_charge > 1
                or request.sealed
            ):
                return
        if first.live_tree().share is None:
            return  # pipes
        visit = visit_of(requests)
        if visit is None:
            return
        if len(self._forms) >= _MOST_FORMS:
            if not self._useful:
                return  # each is another one
            self._forms.clear()
            self._useful = False
        parts, fixed, ids, at = [_part_of(first, 0, 0)], "<", "<", 0
        same: list[bytes] = []
        for request in others:
            frame = request.frame
            fixed += f"24s8x16s16x{len(frame) - HEADER_SIZE}s"
            ids += f"24xQ{len(frame) - 32}x"
            same += [bytes(frame[:24]), bytes(frame[32:48]), bytes(frame[HEADER_SIZE:])]
            parts.append(_part_of(request, at, at + len(frame)))
            at += len(frame)
        _, head, _, _, holder, body, _, contexts = _CREATE.unpack_from(first.frame)
        self._forms[head, holder, body, contexts, at] = _Form(
            visit,
            first.session_id,
            first.tree_id,
            first.sequence,
            first.flags,
            first.live_session().identity,
            parts,
            _HOLDER.pack(0xFEFF, first.tree_id, first.session_id),
            Struct(fixed),
            tuple(same),
            Struct(ids),
        )

    # --- one more ---

    def answer(self, frame: memoryview, now: float) -> bytearray | bytes | None:
        """The whole frame of the answers; None: nothing was done."""
        if len(frame) <= _NAME_AT or frame[_COMMAND_AT] != Command.CREATE:
            return None
        protocol, head, end, message_id, holder, body, name_length, contexts = _CREATE.unpack_from(
            frame
        )
        form = self._forms.get((head, holder, body, contexts, len(frame) - end))
        stop = _NAME_AT + name_length
        if (
            form is None
            or protocol != PROTOCOL_ID
            or end % 8
            or stop > end
            or form.fixed.unpack_from(frame, end) != form.same
        ):
            return None
        last = message_id
        for following in form.ids.unpack_from(frame, end):
            last += 1
            if following != last:
                return None
        self._useful = True
        self._connection.now = now
        try:
            path, stream = parse_name(text(frame[_NAME_AT:stop]))
            return None if stream else self._answer(form, frame, end, message_id, path)
        except (NtError, OSError):
            return None

    def _answer(
        self, form: _Form, frame: memoryview, end: int, message_id: int, path: str
    ) -> bytearray | bytes | None:
        connection = self._connection
        channel = connection.channels.get(form.session_id)
        if channel is None or channel.session.identity is not form.identity:
            return None
        request = _request(connection, channel, form, frame[:end], message_id)
        check_signature(request)
        if request.refusal or not _are_signed(form, frame, end, channel):
            return None
        check_tree(request, check_session(request))
        bodies = pay(request, form.visit, path)
        if bodies is None:
            return None
        connection.window.take(message_id, len(bodies))
        return self._packed(form, channel, message_id, bodies)

    def _packed(
        self, form: _Form, channel: Channel, message_id: int, bodies: list[bytes]
    ) -> bytearray | bytes:
        """The answers in one frame ([MS-SMB2] 3.3.4.1.3): padded, each signed on its own."""
        grant, parts, last = self._connection.window.grant, form.parts, len(bodies) - 1
        pieces, total = [b""], 0
        for number, (part, body) in enumerate(zip(parts, bodies, strict=True)):
            size = HEADER_SIZE + len(body)
            padding = _PADDING[size % 8]
            size += len(padding)
            header = _HEADER.pack(
                PROTOCOL_ID,
                HEADER_SIZE,
                part.credit_charge,
                part.command,
                grant(part.credit_request),
                part.flags,
                0 if number == last else size,
                message_id + number,
                form.holder,
            )
            pieces += header, body, padding
            total += size
        pieces[0] = total.to_bytes(4, "big")
        frame = b"".join(pieces)
        return _signed(frame, pieces, channel) if form.flags & Flags.SIGNED else frame


def _part_of(request: Request, start: int, end: int) -> _Part:
    flags = Flags.SERVER_TO_REDIR | request.flags & _FLAGS
    return _Part(request.command, request.credit_charge, request.credit_request, flags, start, end)


def _request(
    connection: Connection, channel: Channel, form: _Form, frame: memoryview, message_id: int
) -> Request:
    """The CREATE of a visit, which stands for all of it."""
    part = form.parts[0]
    return Request(
        connection,
        frame,
        Command.CREATE,
        ROWS[Command.CREATE],
        form.flags,
        message_id,
        part.credit_charge,
        part.credit_request,
        form.tree_id,
        form.session_id,
        channel,
        channel.session,
        False,  # noqa: FBT003 -- sealed; by position, since by name each of these costs twice
        0,
        form.sequence,
    )


def _are_signed(form: _Form, frame: memoryview, end: int, channel: Channel) -> bool:
    """Whether the requests behind the CREATE bear the right signatures, if the CREATE is signed."""
    if not form.flags & Flags.SIGNED:
        return True
    signer = channel.signer
    return signer is not None and all(
        signer.verify(frame[end + part.start : end + part.end]) for part in form.parts[1:]
    )


def _signed(frame: bytes, pieces: list[bytes], channel: Channel) -> bytearray:
    signed, at, signer = bytearray(frame), 4, channel.signer
    assert signer is not None, "the requests are signed"
    for number in range(1, len(pieces), 3):
        size = sum(map(len, pieces[number : number + 3]))
        signer.sign_into(signed, at, size)
        at += size
    return signed
