"""The sans-IO core of one connection: frame in -> requests, request + reply -> bytes out.

[MS-SMB2] 3.3.1.7 (what a connection holds), 3.3.5.2 (what every message goes through) and
3.3.4.1 (what every response gets).  No socket, no trio: tests drive it with scripted bytes.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from struct import Struct

from smbd.breaks import pack_break
from smbd.credits import CommandSequenceWindow
from smbd.crypto import PREAUTH_START, transform_session_id
from smbd.events import about
from smbd.memory import Holding, MemoryAccount
from smbd.negotiated import Negotiated
from smbd.network import network_of
from smbd.ntstatus import NtStatus, ProtocolError
from smbd.protection import Buffer, check_signature, protect, seal, seal_frame
from smbd.request import Reply, Request
from smbd.request_list import RequestList
from smbd.responses import fill_header, notification
from smbd.rows import ROWS, SMB1_NEGOTIATE, UNKNOWN
from smbd.service import Service
from smbd.session import Channel, Session
from smbd.state import Apart, Break, Client
from smbd.wire.header import (
    HEADER,
    HEADER_SIZE,
    NEXT_COMMAND,
    NEXT_COMMAND_AT,
    PROTOCOL_ID,
    SMB1_PROTOCOL_ID,
    TRANSFORM_PROTOCOL_ID,
    Command,
    Dialect,
    Flags,
)

_log = logging.getLogger("smbd")

# Asked for each message: a class's name would be looked up each time.
_RESPONSE, _RELATED, _REPLAY = (
    Flags.SERVER_TO_REDIR, Flags.RELATED_OPERATIONS, Flags.REPLAY_OPERATION
)  # fmt: skip
_CANCEL = Command.CANCEL
# cifs.ko sends up to ten, others fewer; neither Windows nor Samba says where it stops.  Each one
# costs some 4 us before the first of them is carried out (measured), which nothing interrupts.
MOST_IN_COMPOUND = 1024
# What a message may hold beside the payload that its credits pay for: headers and fixed parts.
MESSAGE_OVERHEAD = 1024
# A request's header: of a lone one all of this counts, and no more.
_REQUEST = Struct(
    "<"
    "6s"    # ProtocolId, StructureSize
    "HI"    # CreditCharge, ChannelSequence
    "HHI"   # Command, CreditRequest, Flags
    "4xQ"   # MessageId
    "4xIQ"  # TreeId, SessionId
)  # fmt: skip
_START = PROTOCOL_ID + HEADER_SIZE.to_bytes(2, "little")
_NEXT_COMMAND = slice(NEXT_COMMAND_AT, NEXT_COMMAND_AT + 4)
_LONGEST_FOR_ONE_CREDIT = 65536 + MESSAGE_OVERHEAD
# Answers of a compound that are sent as one buffer: to copy so much takes less than to send each.
_FEW = 4096
_PADDING = bytes(8)
_SMB1_NEGOTIATE = SMB1_PROTOCOL_ID + b"\x72"  # SMB_COM_NEGOTIATE
_NOTHING = Negotiated()


@dataclass(slots=True, eq=False)
class Connection:
    """[MS-SMB2] 3.3.1.7, and the way of every message through it."""

    service: Service
    client: str  # address and port, for people
    address: str  # of the client, for limits
    window: CommandSequenceWindow
    on_login: Callable[[], None] = lambda: None  # the first login is done
    emit: Callable[[Sequence[Buffer]], None] = lambda _: None  # send a frame that is no reply
    # Signs a reply; an observer has it looked at before and after (smbd.observed).
    protect: Callable[[Request, Reply], None] = protect
    negotiated: Negotiated = _NOTHING  # assigned once, by NEGOTIATE
    preauth: bytes = PREAUTH_START
    channels: dict[int, Channel] = field(default_factory=dict)  # by SessionId
    # Those that are being bound, which SESSION_SETUP alone knows of.
    bindings: dict[int, Channel] = field(default_factory=dict)  # by SessionId
    now: float = 0.0  # when its last frame came, by the server's clock
    lease_client: Client | None = None  # whose leases are told of here, once somebody has logged in
    login_due: float = 0.0  # when the last of the login answers that are held back leaves
    memory: MemoryAccount = field(default_factory=MemoryAccount)
    request_list: RequestList = field(default_factory=RequestList)  # those that are worked on
    apart: Apart | None = None  # where there is C to go on with an Open
    is_health_check: bool = False  # all that goes well in it is for nobody's log
    network: str = field(init=False)  # of the client, for limits

    def __post_init__(self) -> None:
        self.network = network_of(self.address)

    def tell(
        self, level: int, event: str, text: str, *args: object, user: str = "", share: str = ""
    ) -> None:
        """Log a line that begins with the client."""
        if self.is_health_check and level == logging.INFO:
            level = logging.DEBUG
        extra = about(event, client=self.client, user=user, share=share)
        _log.log(level, f"%s: {text}", self.client, *args, extra=extra)

    # --- in ---

    def receive(
        self, frame: memoryview, now: float, opened_for: Session | None = None
    ) -> list[Request]:
        """The requests of one frame (a NetBIOS payload); ProtocolError costs the connection.

        `now` is the time by the server's clock, in seconds.  `opened_for`: `opened` was called.
        """
        self.now = now
        if opened_for is not None:
            return self._receive_plain(frame, opened_for)
        if len(frame) < HEADER_SIZE:
            return self._receive_smb1(frame)
        if frame[0] == PROTOCOL_ID[0]:  # all of it is looked at with the rest of the header
            if any(frame[_NEXT_COMMAND]):
                return self._receive_plain(frame, None)
            request = self._request(frame, None)
            if not request.refusal:
                check_signature(request)
            return [request]
        plain, session = self.opened(frame)
        if session is not None:
            return self._receive_plain(plain, session)
        return self._receive_smb1(frame)

    def _receive_plain(self, frame: memoryview, sealed_for: Session | None) -> list[Request]:
        """Split a compound ([MS-SMB2] 3.3.5.2.7) and check each message on its own."""
        requests: list[Request] = []
        previous: Request | None = None
        at, end = 0, len(frame)
        while True:
            if len(requests) == MOST_IN_COMPOUND:
                raise ProtocolError("a compound of too many requests")
            (next_command,) = NEXT_COMMAND.unpack_from(frame, at + NEXT_COMMAND_AT)
            message, stop = frame, end
            if next_command:
                stop = at + next_command
                if next_command % 8 or next_command < HEADER_SIZE or stop + HEADER_SIZE > end:
                    raise ProtocolError("NextCommand points outside the frame")
                message = frame[at:stop]
            elif at:
                message = frame[at:]
            previous = self._request(message, previous)
            if sealed_for is not None:
                self._accept_sealed(previous, sealed_for)
            elif not previous.refusal:
                check_signature(previous)
            requests.append(previous)
            if not next_command:
                return requests
            at = stop

    def _request(self, message: memoryview, before: Request | None) -> Request:
        """One message's header: ids, credits, session."""
        (
            start,
            credit_charge,
            status,
            command,
            credit_request,
            flags,
            message_id,
            tree_id,
            session_id,
        ) = _REQUEST.unpack_from(message)
        if start != _START:
            raise ProtocolError("not an SMB2 header")
        if flags & _RESPONSE:
            raise ProtocolError("a response came where requests are due")
        if command == _CANCEL:
            # It spends no id of its own: it carries that of the request it cancels.
            if flags & Flags.ASYNC_COMMAND:
                tree_id = 0
        else:
            self.window.take(message_id, credit_charge if self.negotiated.multi_credit else 1)
        refusal, previous = 0, None
        if len(message) > _LONGEST_FOR_ONE_CREDIT:
            paid = credit_charge if self.negotiated.multi_credit else 1
            if len(message) > max(paid, 1) * 65536 + MESSAGE_OVERHEAD:
                refusal = NtStatus.INVALID_PARAMETER
        if flags & _RELATED:
            if before is None:
                refusal = NtStatus.INVALID_PARAMETER
            else:
                previous, session_id, tree_id = before, before.session_id, before.tree_id
        channel = self.channels.get(session_id)
        return Request(
            self,
            message,
            command,
            ROWS.get(command, UNKNOWN),
            flags,
            message_id,
            credit_charge,
            credit_request,
            tree_id,
            session_id,
            channel,
            None if channel is None else channel.session,
            False,  # noqa: FBT003 -- sealed; by position, since by name each of these costs twice
            refusal,
            (status & 0xFFFF) | (flags & _REPLAY),
            previous,
        )

    def begun(self, message: memoryview, channel: Channel, *, sealed: bool) -> Request:
        """A request that C has received and begun (smbd.misses): its ids are spent."""
        (_, _, charge, status, command, asked, flags, _, message_id, _, tree_id, session_id, _) = (
            HEADER.unpack_from(message)
        )
        return Request(
            self,
            message,
            command,
            ROWS[command],
            flags,
            message_id,
            charge,
            asked,
            tree_id,
            session_id,
            channel,
            channel.session,
            sealed,
            sequence=status & 0xFFFF,
            checked=True,
        )

    def opened(self, frame: memoryview) -> tuple[memoryview, Session | None]:
        """What is in a frame if it is sealed, and the session that sealed it; or else the frame.

        [MS-SMB2] 3.3.5.2.1.1: what was sealed for a session counts as signed by it.  ProtocolError.
        """
        if len(frame) < HEADER_SIZE or bytes(frame[:4]) != TRANSFORM_PROTOCOL_ID:
            return frame, None
        channel = self.channels.get(transform_session_id(frame))
        session = None if channel is None else channel.session
        if session is None or session.sealer is None:
            raise ProtocolError("sealed for no session of this connection")
        plain = memoryview(session.sealer.open(frame))
        if len(plain) < HEADER_SIZE:
            raise ProtocolError("nothing in the sealed frame")
        return plain, session

    def _accept_sealed(self, request: Request, session: Session) -> None:
        """Inside a sealed frame the session is the one that sealed it."""
        if request.session_id != session.session_id:
            raise ProtocolError("sealed by one session, meant for another")
        request.sealed = request.checked = True

    def _receive_smb1(self, frame: memoryview) -> list[Request]:
        """An SMB1 NEGOTIATE may open a connection, once; nothing else of SMB1 is spoken."""
        if (
            self.negotiated.dialect
            or bytes(frame[:5]) != _SMB1_NEGOTIATE
            or self.window.available != 1
        ):
            raise ProtocolError("neither SMB2 nor an SMB1 NEGOTIATE")
        self.window.take(0, 1)
        row = ROWS[SMB1_NEGOTIATE]
        return [
            Request(self, frame, SMB1_NEGOTIATE, row, 0, 0, 0, 1, 0, 0, None, None, sealed=False)
        ]

    def logged_in(self, session: Session) -> None:
        """Somebody has logged in on this connection: the limits of unauthenticated clients end.

        From now on it is its client's, and is told of breaks.  Leases began with 2.1.
        """
        if self.lease_client is None and self.negotiated.dialect >= Dialect.SMB_2_1:
            clients = self.service.tables.clients
            _, user, _ = session.claimants
            self.lease_client = clients.join(self.negotiated.client_guid, user, self)
        self.on_login()

    def add_channel(self, session: Session) -> Channel:
        """Make a session known on this connection, until its channel leaves."""
        channel = self.channel_of(session)
        self.join(channel)
        return channel

    def channel_of(self, session: Session) -> Channel:
        """A channel of a session, which neither this connection nor the session knows yet."""
        return Channel(
            session,
            self.client,
            self.negotiated,
            self.memory,
            partial(self.channels.pop, session.session_id, None),
            self.notify,
            preauth=self.preauth,
            memory=Holding(self.memory),
        )

    def join(self, channel: Channel) -> None:
        """Make a session known on this connection, until its channel leaves.

        INSUFFICIENT_RESOURCES if the session has too many, and nothing has changed.
        """
        channel.session.join(channel)
        channel.session.listeners.join(channel)
        self.channels[channel.session.session_id] = channel

    @property
    def handles(self) -> int:
        """The files and pipes that the client has open here."""
        handles = 0
        for channel in self.channels.values():
            handles += len(channel.session.opens) + len(channel.session.pipes)
        return handles

    def find_running(self, request: Request) -> Request | None:
        """The request that a CANCEL means."""
        return self.request_list.meant_by(request)

    # --- out ---

    def notify(self, body: bytes, session_id: int, sealed_for: Session | None) -> None:
        """Send an OPLOCK_BREAK notification, for which no request asked ([MS-SMB2] 2.2.23).

        An oplock's has the SessionId of its Open; a lease is its client's, and has 0 (3.3.4.6 and
        3.3.4.7).  `sealed_for` is the session that encrypts it, if one must (3.3.4.1.4).  It is
        never signed (3.3.4.1.1): its MessageId is always the same, and under GMAC, whose nonce
        that is, a second signature would give the key away.
        """
        frame = notification(body, session_id)
        if sealed_for is not None:
            self.emit(seal_frame(sealed_for, frame))
        else:
            frame[0:4] = (len(frame) - 4).to_bytes(4, "big")
            self.emit([frame])

    def tell_break(self, notification: Break) -> None:
        """Send the client that a lease is broken, which is of no session ([MS-SMB2] 3.3.4.7)."""
        self.notify(pack_break(notification), 0, None)

    def finish(self, request: Request, reply: Reply) -> list[Buffer]:
        """The buffers of one whole frame that holds one response."""
        fill_header(self.window, request, reply, 0)
        self.protect(request, reply)
        frame = reply.frame
        if request.sealed and request.session is not None:
            return seal_frame(request.session, frame)
        frame[0:4] = (len(frame) - 4).to_bytes(4, "big")
        return [frame]

    def finish_compound(self, answers: Sequence[tuple[Request, Reply]]) -> list[Buffer]:
        """The buffers of one frame of several responses, each signed on its own."""
        if len(answers) == 1:
            return self.finish(*answers[0])
        frames: list[bytearray] = []
        total, last = 0, len(answers) - 1
        for request, reply in answers:
            # Its padding belongs to a message, the last one's too ([MS-SMB2] 3.3.4.1.3): the
            # signature covers it.
            frame = reply.frame
            size = len(frame) - 4
            if size % 8:
                frame += _PADDING[size % 8 :]
                size = len(frame) - 4
            fill_header(self.window, request, reply, size if len(frames) < last else 0)
            self.protect(request, reply)
            frames.append(frame)
            total += size
        request = answers[0][0]
        if total > _FEW or request.sealed:
            parts = [memoryview(frame)[4:] for frame in frames]
            if request.sealed and request.session is not None:
                return seal(request.session, parts)
            return [total.to_bytes(4, "big"), *parts]
        whole = frames[0]
        for frame in frames[1:]:
            whole += frame[4:]
        whole[0:4] = total.to_bytes(4, "big")
        return [whole]
