"""The visits (commands.visit) of one connection: frames that differ from one before by the name.

The first of a form goes through dispatch and the commands, each of which makes its checks.  What
they check in the bytes holds for every frame with the same bytes; what may change (the session, the
tree connect, signatures, credits, the file) is checked for each.  Whatever is odd goes to dispatch,
with nothing done.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from struct import Struct

from smbd.auth import Identity
from smbd.checking import check_session, check_tree
from smbd.commands.visit import Visit, pay, visit_of
from smbd.connection import Connection
from smbd.known_visits import NAME_AT, KnownVisits, Shape
from smbd.ntstatus import NtError
from smbd.protection import Buffer, check_signature, seal
from smbd.request import NO_FRAME, Request, like
from smbd.session import Channel, Session
from smbd.vfs import parse_name
from smbd.wire.bounds import text
from smbd.wire.header import HEADER_SIZE, PROTOCOL_ID, Command, Flags

MOST_REQUESTS = 6
_MOST_FORMS = 16
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
    "II"   # CreateContextsOffset, CreateContextsLength
)  # fmt: skip
_COMMAND_AT, _CREDITS_AT, _ANY = 12, 14, bytes(2)
_FLAGS = Flags.RELATED_OPERATIONS | Flags.SIGNED | Flags.PRIORITY_MASK
# A response in pieces, most of which are the same from one to the next: ProtocolId to Command,
# CreditResponse, Flags and NextCommand, MessageId, and Reserved to Signature.
_PIECES = "14sH8sQ32s"
_FIRST, _SECOND, _THIRD = Struct("<4sHHIH"), Struct("<II"), Struct("<IIQ16x")
_MOST_LAYOUTS = 256
_UNKNOWN = Struct("<2xI4x8x")  # CreditResponse, Flags, NextCommand, MessageId


@dataclass(slots=True, frozen=True)
class _Part:
    """The header of one request of a visit, as far as each has the same."""

    first: bytes  # of the response: ProtocolId to Command
    flags: int  # of the response
    start: int  # where the request is, from the end of the CREATE
    end: int


@dataclass(slots=True, frozen=True)
class _Layout:
    """What is the same in all answers whose bodies have certain lengths."""

    struct: Struct
    length: bytes  # of the NetBIOS frame
    seconds: list[bytes]
    sizes: list[int]  # of the responses


@dataclass(slots=True)
class _Form:
    """All of a visit but the name, the message ids and signatures; and what to do about it."""

    visit: Visit
    identity: Identity | None  # whose rights the visit has
    request: Request  # the CREATE, in use from one check to the answer
    parts: list[_Part]
    contexts: bytes  # of the CREATE
    credits: tuple[int, ...]  # that they ask for
    third: bytes  # of each response: Reserved to Signature
    fixed: Struct  # of what is behind the CREATE, all but ids and signatures ...
    same: tuple[bytes, ...]  # ... and what it gives
    ids: Struct
    layouts: dict[tuple[int, ...], _Layout] = field(default_factory=dict)


class Visits:
    """The forms of visits that one connection has made."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._forms: dict[tuple[bytes, bytes, bytes, int, int, bool], _Form] = {}
        self._useful = True  # one of those that were learnt lately has come again
        self.known_visits: KnownVisits | None = None  # where there is C

    # --- what is known ---

    def learn(
        self,
        requests: Sequence[Request],
        knowing: Callable[[], KnownVisits | None] = lambda: None,
    ) -> None:
        """The commands have answered a compound at once, and with success.

        `knowing` makes C's part for a form that C may know.
        """
        visit = visit_of(requests)
        if visit is None:
            return
        first, *others = requests
        if not _are_alike(requests) or first.live_tree().share is None:  # pipes
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
        _, head, _, _, holder, body, name_length, start, length = _CREATE.unpack_from(first.frame)
        if _overlaps(name_length, start, length):
            return
        form = self._forms[head, holder, body, length, at, first.sealed] = _Form(
            visit,
            first.live_session().identity,
            like(first),
            parts,
            bytes(first.frame[start : start + length]),
            tuple(request.credit_request for request in requests),
            _THIRD.pack(0xFEFF, first.tree_id, first.session_id),
            Struct(fixed),
            tuple(same),
            Struct(ids),
        )
        if (visit.remembered or visit.removal) and not (first.flags & Flags.SIGNED or first.sealed):
            self.known_visits = self.known_visits or knowing()
            if self.known_visits is not None:
                self.known_visits.add(_shape_of(form, requests))

    # --- one more ---

    def answer(
        self, frame: memoryview, now: float, sealed_for: Session | None = None
    ) -> Sequence[Buffer] | None:
        """The buffers of the whole frame of the answers; None: nothing was done.

        `sealed_for` is the session that has sealed what is in `frame`.
        """
        size = len(frame)
        if size <= NAME_AT or frame[_COMMAND_AT] != Command.CREATE:
            return None
        protocol, head, end, message_id, holder, body, name_length, start, length = (
            _CREATE.unpack_from(frame)
        )
        sealed = sealed_for is not None
        form = self._forms.get((head, holder, body, length, size - end, sealed))
        stop = NAME_AT + name_length
        if (
            form is None
            or protocol != PROTOCOL_ID
            or end % 8
            or max(stop, start + length) > end
            or _overlaps(name_length, start, length)
            or frame[start : start + length] != form.contexts
            or form.fixed.unpack_from(frame, end) != form.same
            or form.ids.unpack_from(frame, end)
            != tuple(range(message_id + 1, message_id + len(form.parts)))
        ):
            return None
        self._useful = True
        self._connection.now = now
        request = form.request
        request.message_id, request.frame = message_id, frame[:end]
        try:
            path, stream = parse_name(text(frame[NAME_AT:stop]))
            if stream or (sealed_for is not None and sealed_for.session_id != request.session_id):
                return None
            return self._answer(form, request, frame, path, stop)
        except (NtError, OSError):
            return None
        finally:  # what has ended is kept by nothing
            request.frame, request.tree, request.known = NO_FRAME, None, None
            request.channel = request.session = None

    def _answer(
        self, form: _Form, request: Request, frame: memoryview, path: str, stop: int
    ) -> Sequence[Buffer] | None:
        channel = self._connection.channels.get(request.session_id)
        if channel is None or channel.session.identity is not form.identity:
            return None
        request.channel, request.session, request.refusal = channel, channel.session, 0
        signed = request.flags & Flags.SIGNED and not request.sealed
        if request.sealed:
            request.checked = True  # what was sealed counts as signed
        else:
            check_signature(request)
        if request.refusal or (signed and not _are_signed(form, request, frame, channel)):
            return None
        check_tree(request, check_session(request))
        if not self._connection.window.has(request.message_id, len(form.parts)):
            return None  # before anything is done, for what it may do
        paid = pay(request, form.visit, path)
        if paid is None:
            return None
        bodies, known = paid
        if self.known_visits is not None and not (signed or request.sealed):
            self.known_visits.learn(form.visit, known, bytes(frame[NAME_AT:stop]), path)
        window, message_id, third = self._connection.window, request.message_id, form.third
        window.take(message_id, len(bodies))
        layout = form.layouts.get(tuple(map(len, bodies))) or _lay_out(form, bodies)
        fields: list[bytes | int] = []
        for part, granted, second, body in zip(
            form.parts, window.grant_each(form.credits), layout.seconds, bodies, strict=True
        ):
            fields += part.first, granted, second, message_id, third, body
            message_id += 1
        answers = layout.struct.pack(layout.length, *fields)
        if request.sealed:
            return seal(channel.session, [memoryview(answers)[4:]])
        return [_signed(answers, layout.sizes, channel) if signed else answers]


def _are_alike(requests: Sequence[Request]) -> bool:
    """Whether all of a compound are protected as its first one, and cost one credit each."""
    signed = requests[0].flags & Flags.SIGNED
    return not any(
        request.flags & ~_FLAGS
        or request.flags & Flags.SIGNED != signed
        or request.credit_charge > 1
        for request in requests
    )


def _overlaps(name_length: int, start: int, length: int) -> bool:
    """Whether a CREATE's contexts are elsewhere than behind its name, as near as clients like."""
    return start < NAME_AT + name_length or start % 8 != 0 if length else start != 0


def lone_shape(request: Request, visit: Visit) -> Shape:
    """For C: a CREATE alone in its frame, whose file goes with its CLOSE."""
    part, third = _part_of(request, 0, 0), _THIRD.pack(0xFEFF, request.tree_id, request.session_id)
    header = part.first + _UNKNOWN.pack(part.flags) + third
    kept, identity = like(request), request.live_session().identity
    frame = bytearray(request.frame)
    frame[_CREDITS_AT : _CREDITS_AT + 2] = _ANY  # a lone request asks for as many as it likes
    kept.frame = memoryview(frame)
    return Shape(kept, identity, visit.what, b"", [], (0,), [header], visit.removal, visit.create)


def _shape_of(form: _Form, requests: Sequence[Request]) -> Shape:
    """The same for C."""
    first, *others = requests
    headers = [part.first + _UNKNOWN.pack(part.flags) + form.third for part in form.parts]
    rest = [bytes(request.frame) for request in others]
    like_first = like(first)
    like_first.frame = memoryview(bytes(first.frame))
    visit = form.visit
    return Shape(
        like_first,
        form.identity,
        visit.what,
        form.contexts,
        rest,
        form.credits,
        headers,
        visit.removal,
    )


def _part_of(request: Request, start: int, end: int) -> _Part:
    flags = Flags.SERVER_TO_REDIR | request.flags & _FLAGS
    if request.sealed:
        flags &= ~Flags.SIGNED
    first = _FIRST.pack(PROTOCOL_ID, HEADER_SIZE, request.credit_charge, 0, request.command)
    return _Part(first, flags, start, end)


def _lay_out(form: _Form, bodies: list[bytes]) -> _Layout:
    """[MS-SMB2] 3.3.4.1.3: the padding belongs to a message, the last one's too."""
    layout, seconds, sizes = "<4s", [], []
    for body in bodies:
        size, padding = HEADER_SIZE + len(body), -len(body) % 8
        layout += f"{_PIECES}{len(body)}s{padding}x"
        sizes.append(size + padding)
    last = len(bodies) - 1
    for number, (part, size) in enumerate(zip(form.parts, sizes, strict=True)):
        seconds.append(_SECOND.pack(part.flags, 0 if number == last else size))
    if len(form.layouts) >= _MOST_LAYOUTS:
        form.layouts.clear()
    made = _Layout(Struct(layout), sum(sizes).to_bytes(4, "big"), seconds, sizes)
    form.layouts[tuple(map(len, bodies))] = made
    return made


def _are_signed(form: _Form, request: Request, frame: memoryview, channel: Channel) -> bool:
    """Whether the requests behind the CREATE bear the right signatures."""
    signer, end = channel.signer, len(request.frame)
    return signer is not None and all(
        signer.verify(frame[end + part.start : end + part.end]) for part in form.parts[1:]
    )


def _signed(answers: bytes, sizes: list[int], channel: Channel) -> bytearray:
    signed, at, signer = bytearray(answers), 4, channel.signer
    assert signer is not None, "the requests are signed"
    for size in sizes:
        signer.sign_into(signed, at, size)
        at += size
    return signed
