"""Requests that come alone in their frame, like one before: their headers were looked at then.

A client that asks one thing after the other says the same of itself each time: all of a header but
MessageId, CreditRequest and signature.  What that makes of a request holds for each with the same
bytes.  What may change (the session, the tree connect, the signature, credits) is asked for each;
where anything is odd, nothing is done, and the long way finds out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from struct import Struct

from smbd.connection import Connection
from smbd.protection import Buffer, check_signature
from smbd.request import NO_FRAME, Reply, Request, like
from smbd.wire.header import HEADER_SIZE, PROTOCOL_ID, Command, Flags

_MOST_FORMS = 8  # 1 KB each
# Longer ones have to be paid for by more than one credit: Connection looks at that.
_LONGEST = 65536
_HEAD = Struct(
    "<"
    "14s"  # ProtocolId to Command
    "H"    # CreditRequest
    "Q"    # Flags, NextCommand
    "Q"    # MessageId
    "16s"  # Reserved, TreeId, SessionId
)  # fmt: skip
_FLAGS = Flags.SIGNED | Flags.PRIORITY_MASK
_REPLY = Struct(
    ">I"   # the NetBIOS length
    "8s"   # ProtocolId to CreditCharge
)  # fmt: skip
_REST = Struct(
    "<"
    "I"    # Status
    "HH"   # Command, CreditResponse
    "8s"   # Flags, NextCommand
    "Q"    # MessageId
    "32s"  # Reserved to Signature
)  # fmt: skip
_REST_AT = _REPLY.size
_START, _FLAGS_BEFORE = Struct("<4sHH"), Struct("<II")
_END = Struct("<IIQ16x")


@dataclass(slots=True)
class Form:
    """All of a header but what differs from one request to the next."""

    request: Request  # checked: in use from one `receive` to `done`
    charge: int
    signed: bool
    start: bytes  # of the response: ProtocolId to CreditCharge
    flags: bytes  # of the response, and NextCommand
    end: bytes  # of the response: Reserved to Signature


class Repeats:
    """The forms of the lone requests of one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._forms: dict[tuple[bytes, int, bytes], Form] = {}
        self._useful = True  # one of those that were learnt lately has come again

    def learn(self, request: Request) -> None:
        """A lone request has been answered at once, with success."""
        tree = request.tree
        if (
            tree is None
            or tree.share is None  # pipes
            or request.sealed
            or request.flags & ~_FLAGS
            or request.command == Command.CANCEL
        ):
            return
        if len(self._forms) >= _MOST_FORMS:
            if not self._useful:
                return  # each is another one
            self._forms.clear()
            self._useful = False
        head, _, how, _, holder = _HEAD.unpack_from(request.frame)
        multi_credit = self._connection.negotiated.multi_credit
        form = self._forms[head, how, holder] = Form(
            like(request),
            request.credit_charge if multi_credit else 1,
            bool(request.flags & Flags.SIGNED),
            _START.pack(PROTOCOL_ID, HEADER_SIZE, request.credit_charge),
            _FLAGS_BEFORE.pack(Flags.SERVER_TO_REDIR | request.flags & Flags.PRIORITY_MASK, 0),
            _END.pack(0xFEFF, request.tree_id, request.session_id),
        )
        form.request.checked = True

    def receive(self, frame: memoryview, now: float) -> Form | None:
        """The form of a frame, whose request is checked up to its command: `finish` must follow.

        None: nothing was done.  ProtocolError, as Connection.receive.
        """
        if not HEADER_SIZE <= len(frame) <= _LONGEST:
            return None
        head, asked, how, message_id, holder = _HEAD.unpack_from(frame)
        form = self._forms.get((head, how, holder))
        if form is None:
            return None
        connection, request = self._connection, form.request
        channel = connection.channels.get(request.session_id)
        if channel is None:
            return None
        session = channel.session
        tree = session.trees.get(request.tree_id)
        if (
            tree is None
            or tree.share is None
            # checking.check_session and check_tree, protection.check_signature
            or session.identity is None
            or session.suspended
            or session.encrypt
            or tree.encrypt
            or tree.barred
            or not (form.signed or not session.signing_required)
        ):
            return None
        request.message_id, request.credit_request, request.frame = message_id, asked, frame
        request.channel, request.session, request.tree = channel, session, tree
        if form.signed:
            check_signature(request)
            if request.refusal:
                self.left(form)
                return None
        self._useful = True
        connection.now = now
        connection.window.take(message_id, form.charge)
        return form

    def finish(self, form: Form, reply: Reply) -> Sequence[Buffer]:
        """The buffers of the answer, as Connection.finish; `done` is to follow."""
        request, frame, status = form.request, reply.frame, reply.status
        request.status = status
        granted = self._connection.window.grant(request.credit_request)
        _REPLY.pack_into(frame, 0, len(frame) - 4, form.start)
        message_id = request.message_id
        _REST.pack_into(
            frame, _REST_AT, status, request.command, granted, form.flags, message_id, form.end
        )
        if form.signed:
            self._connection.protect(request, reply)
        return (frame,)

    def done(self, form: Form) -> None:
        """The request is over: what it was about is kept by nothing."""
        request = form.request
        if request.waiting is not None or request.transfer is not None:
            self.left(form)
            return
        request.frame, request.channel, request.session = NO_FRAME, None, None
        request.tree = request.open = request.known = None

    def left(self, form: Form) -> None:
        """Somebody goes on with the request: the next one gets another."""
        form.request.status = 0
        form.request = like(form.request)
        form.request.checked = True
