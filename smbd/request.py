"""A request as commands see it, and the reply that they make of it."""

from collections.abc import Awaitable, Callable, Sized
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeVar, TypeVarTuple, cast

from aio.base import Begun, Done, Engine
from smbd.crypto import Signer
from smbd.memory import MemoryAccount
from smbd.negotiated import Negotiated
from smbd.ntstatus import NtError, NtStatus
from smbd.rows import Row
from smbd.service import Service
from smbd.session import Channel, Session, Tree
from smbd.share import Share
from smbd.state import UNUSED, Apart, Client, FileEvent, Open, PipeOpen, Tables, Wait
from smbd.vfs import Root
from smbd.wire.error import pack_error_response
from smbd.wire.file_id import parse_file_id
from smbd.wire.fscc import FileInformation
from smbd.wire.header import HEADER_SIZE, Command, Dialect, Flags

R = TypeVar("R")
Args = TypeVarTuple("Args")

# What every reply's buffer keeps free in front of its body: NetBIOS length and SMB2 header.
HEADROOM = 4 + HEADER_SIZE

# The `sequence` of a request in work that its Open does not count: it had an old one.
_LATE = -1

NO_FRAME = memoryview(b"")

# Bytes that one credit pays for; no limit of a length is lower.
_ONE_CREDIT = 65536


class NamesFile(Protocol):
    """Any request message that carries a FileId."""

    @property
    def persistent_id(self) -> int:
        """The half that a durable handle would be found by."""

    @property
    def volatile_id(self) -> int:
        """The half that its session finds it by."""


class ConnectionView(Protocol):
    """The connection that a request came by, as commands see it."""

    service: Service
    client: str  # address and port, for people
    address: str  # of the client, for limits
    network: str  # of the client, for limits
    negotiated: Negotiated
    preauth: bytes  # PreauthIntegrityHashValue
    channels: dict[int, Channel]  # by SessionId
    bindings: dict[int, Channel]  # those that are being bound
    memory: MemoryAccount
    now: float  # when its last frame came, by the server's clock
    lease_client: Client | None  # breaks of its leases are sent here; None before a login
    login_due: float  # when the last of the login answers that are held back leaves
    apart: Apart | None  # the Open that no table has yet

    @property
    def handles(self) -> int:
        """The files and pipes that the client has open here."""

    def tell(
        self, level: int, event: str, text: str, *args: object, user: str = "", share: str = ""
    ) -> None:
        """Log a line that begins with the client."""

    def logged_in(self, session: Session) -> None:
        """A login has succeeded here."""

    def add_channel(self, session: Session) -> Channel:
        """Make a session known here, until its channel leaves."""

    def channel_of(self, session: Session) -> Channel:
        """A channel of a session, which neither this connection nor the session knows yet."""

    def join(self, channel: Channel) -> None:
        """Make its session known here; INSUFFICIENT_RESOURCES if the session has too many."""

    def find_running(self, request: "Request") -> "Request | None":
        """The request that a CANCEL means."""


class Work(Protocol):
    """What is done for a request after its burst."""

    def wait(self, wait: Wait) -> None:
        """It goes on when others let it, maybe never."""

    def cancel(self) -> None:
        """No answer is wanted any more: end it, if that can be."""

    def hold(self, *, tell: bool) -> None:
        """An observer holds it back: an interim response leaves now, or none until `go_on`."""

    def go_on(self) -> None:
        """It is carried out as any other."""


class Transfer(Protocol):
    """The part of a request that its share's engine carries out, without a task."""

    @property
    def engine(self) -> Engine:
        """That engine; its `kick` is due after the burst."""

    def begin(self, done: Done) -> Begun:
        """Begin it; `done` is called in the loop (aio.base).  OSError."""

    def finish(self, request: "Request", count: int, error: BaseException | None) -> "Reply":
        """The reply, from what `done` was called with; NtError, or the error itself."""


class FileId(NamedTuple):
    """A FileId alone ([MS-SMB2] 2.2.14.1)."""

    persistent_id: int
    volatile_id: int


class Reply:
    """A response: its status, and a buffer with HEADROOM free bytes before the body."""

    __slots__ = ("frame", "preauth", "signer", "status")

    def __init__(self, body: bytes = b"", status: int = NtStatus.SUCCESS) -> None:
        self.frame = bytearray(HEADROOM) + body
        self.status = status
        # It signs whatever the request was: the last reply of a login.
        self.signer: Signer | None = None
        self.preauth = False  # part of the preauth integrity hash

    @classmethod
    def of_frame(cls, frame: bytearray) -> "Reply":
        """A success whose buffer is filled already: READ's, whose data came straight into it."""
        reply = cls.__new__(cls)
        reply.frame = frame
        reply.status = NtStatus.SUCCESS
        reply.signer = None
        reply.preauth = False
        return reply

    @classmethod
    def of_error(cls, status: int, data: bytes = b"", dialect: int = 0) -> "Reply":
        """An ERROR Response ([MS-SMB2] 2.2.2); its data is laid out as the dialect has it."""
        return cls(pack_error_response(dialect, status, data), status)


@dataclass(slots=True, eq=False)
class Request:
    """One SMB2 request, checked as far as that needs no command.

    `frame` is this message alone, header included, a view into the receive buffer (or, read-only,
    of what was unsealed from it).  `refusal` is the status it is to be answered with in place of
    being carried out.
    """

    connection: ConnectionView
    frame: memoryview
    command: int
    row: Row  # on IPC$ that of pipes, once the tree connect is known
    flags: int
    message_id: int
    credit_charge: int
    credit_request: int
    tree_id: int
    session_id: int
    channel: Channel | None
    session: Session | None  # that of the channel
    sealed: bool
    refusal: int = 0
    sequence: int = 0  # ChannelSequence, and Flags.REPLAY_OPERATION above it
    previous: "Request | None" = None  # a related one takes over its session, tree and file
    checked: bool = False  # its protection, against a session that is logged in
    tree: Tree | None = None
    open: Open | None = None  # what it worked on, for the related one that follows
    pipe: PipeOpen | None = None  # the same on IPC$
    known: FileInformation | None = None  # of its file, by a CREATE of this moment: see `follow`
    used: Open | None = None  # counts this request among its users
    waiting: Wait | None = None  # what it goes on behind, where it cannot at once
    status: int = 0  # what it was answered with
    async_id: int = 0  # not 0: an interim response said so
    work: Work | None = None  # set while it is worked on
    # Said by `try_now` before it gives None: no task is needed for the rest.
    transfer: Transfer | None = None
    # Called with the time once the answer has left, or when none is going to.
    behind: Callable[[float], None] | None = None

    @property
    def service(self) -> Service:
        """What the server is."""
        return self.connection.service

    @property
    def tables(self) -> Tables:
        """What all clients hold."""
        return self.connection.service.tables

    def changed(self, open_: Open, event: FileEvent) -> None:
        """Tell all that want to know what was done to an open file."""
        self.tables.changed(open_, event, self.service.clock())

    def live_session(self) -> Session:
        """The session, for a command whose row says that it needs one."""
        assert self.session is not None
        return self.session

    def live_tree(self) -> Tree:
        """The tree connect, for a command whose row says that it needs one."""
        assert self.tree is not None
        return self.tree

    def live_share(self) -> Share:
        """The share, for a command that comes to no tree connect of IPC$."""
        share = self.live_tree().share
        assert share is not None, "IPC$ has rows of its own"
        return share

    def live_root(self) -> Root:
        """The folder of that share, as it was when the session connected to it."""
        root = self.live_tree().root
        assert root is not None, "IPC$ has rows of its own"
        return root

    def blocking(self, function: Callable[[*Args], R], *args: *Args) -> Awaitable[R]:
        """Await `function(*args)`, run in a worker of the share, in this connection's turn."""
        return self.live_share().workers.run_for(self.connection, function, *args)

    def blocking_long(self, function: Callable[[*Args], R], *args: *Args) -> Awaitable[R]:
        """The same for what may take long by its nature: such calls get half of the workers."""
        return self.live_share().workers.run_long(self.connection, function, *args)

    def keep_frame(self) -> bool:
        """Make ready to outlive the burst; whether the frame still lies in the receive buffer.

        A small one is copied: it would keep alive a buffer of 128 KiB, or of what the largest
        frame in it needed.  One that is most of its buffer is not: 1 MiB takes 0.1 ms.
        """
        if 2 * len(self.frame) < self.kept:
            self.frame = memoryview(bytes(self.frame))
            return False
        return not self.frame.readonly  # what was unsealed elsewhere is in an object of its own

    @property
    def kept(self) -> int:
        """Bytes of the memory that its frame lies in."""
        return len(cast("Sized", self.frame.obj))

    def find_open(self, message: NamesFile, length: int = 0) -> Open:
        """The Open that a FileId names; for a related request that of the one before.

        `length` is of the data that the request moves, either way: `check_length`.  The row says
        whether it may be a file, and a directory.

        [MS-SMB2] 3.3.5.2.7.2: whatever FileId a related request carries itself, its file is that
        of the request before.  If that one failed to give a file, so does this one, with the same
        status; INVALID_HANDLE if it was none that has a file.
        """
        if length > _ONE_CREDIT:
            self.check_length(length)
        if self.used is not None:
            found = self.used
        elif self.previous is None:
            # Session.OpenTable has what this session opened, through any of its tree connects.
            session = self.session
            opened = None if session is None else session.opens.get(message.volatile_id)
            if (
                opened is None
                or opened.holder is not self.tree
                or opened.persistent_id != message.persistent_id
            ):
                raise NtError(NtStatus.FILE_CLOSED)
            self.open = found = opened
        else:
            found = self._open_of_before(self.previous)
        if self.sequence != found.channel_sequence:
            self._verify_sequence(found)
        row = self.row
        refusal = row.of_directory if found.file.is_directory else row.of_file
        if refusal:
            raise NtError(refusal)
        return found

    def _open_of_before(self, before: "Request") -> Open:
        found = self.open  # dispatch took it over
        if found is None:
            raise NtError(before.status_for_followers())
        if found.closed:
            raise NtError(NtStatus.FILE_CLOSED)
        return found

    def _verify_sequence(self, found: Open) -> None:
        """[MS-SMB2] 3.3.5.2.10, for a request that has not the Open's ChannelSequence.

        FILE_NOT_AVAILABLE for a command that modifies data.  A request is verified once, when it
        comes: those that come behind it may move the sequence on.
        """
        if self.used is not None or self.connection.negotiated.dialect < Dialect.SMB_3_0:
            return
        if found.channel_sequence == UNUSED:
            self.tables.creations.used(found)
        replay = bool(self.flags & Flags.REPLAY_OPERATION)
        follows = found.follow_sequence(self.sequence & 0xFFFF, replay=replay)
        if not follows and self.row.modifies:
            raise NtError(NtStatus.FILE_NOT_AVAILABLE)

    def check_length(self, length: int) -> None:
        """[MS-SMB2] 3.3.5.2.5: in the row's bounds, and one credit paid for every 64 KiB.

        INVALID_PARAMETER.
        """
        negotiated, limit = self.connection.negotiated, self.row.limit
        paid = (self.credit_charge or 1) if negotiated.multi_credit else 1
        if length > paid * _ONE_CREDIT or (limit and length > getattr(negotiated, limit)):
            raise NtError(NtStatus.INVALID_PARAMETER)

    def status_for_followers(self) -> int:
        """What a related request behind this one is answered, since this one gave no file."""
        has_file = self.row.file_id_at or self.command == Command.CREATE
        return (has_file and self.status) or NtStatus.INVALID_HANDLE

    def use_open(self) -> None:
        """Count as a user of the Open that this request names, from now until `let_go`.

        A request that goes on in a task is held at the moment it came: a CLOSE behind it in the
        same burst must not take the file away from it.
        """
        if self.used is None and self.row.file_id_at:
            found = self.open if self.previous is None else None  # by `try_now`, this moment
            if found is None:
                found = self.find_open(FileId(*parse_file_id(self.frame, self.row.file_id_at)))
            self.used = found.use()
            if not found.begin_request(self.sequence & 0xFFFF):
                self.sequence = _LATE

    def waits_for(self, wait: Wait) -> Wait:
        """Go on when this is over: said by `try_now` before it gives None, or awaited in `run`."""
        self.waiting = wait
        if self.work is not None and self.waits_for_others:
            self.work.wait(wait)
        return wait

    def live_wait(self) -> Wait:
        """What `try_now` said that it waits for."""
        assert self.waiting is not None
        return self.waiting

    def leave_waiting(self, wake: Callable[[], None]) -> None:
        """It is cancelled, but what it waits for goes on: `wake` is called when that is over."""
        wait, self.waiting = self.live_wait(), None
        wait.wake = wake

    @property
    def waits_for_others(self) -> bool:
        """Whether it waits for what may never come."""
        waiting = self.waiting
        return waiting is not None and waiting.for_others and not waiting.over

    def cancel(self) -> None:
        """[MS-SMB2] 3.3.5.16: end what it waits for, or else what works on it, if that can be."""
        if self.waiting is not None and self.waits_for_others:
            self.waiting.end(NtStatus.CANCELLED)
        elif self.work is not None:
            self.work.cancel()

    def let_go(self) -> Open | None:
        """The request is answered; gives the Open if its descriptor is to be closed now."""
        waiting, self.waiting = self.waiting, None
        if waiting is not None:
            waiting.give_up()
        used, self.used = self.used, None
        if used is not None and self.sequence != _LATE:
            used.end_request(self.sequence & 0xFFFF)
        return used if used is not None and used.leave() else None


def like(request: Request) -> Request:
    """A request with the numbers of another one, which stands for all that are like it."""
    return Request(
        request.connection,
        NO_FRAME,
        request.command,
        request.row,
        request.flags,
        0,
        request.credit_charge,
        request.credit_request,
        request.tree_id,
        request.session_id,
        None,
        None,
        sealed=request.sealed,
        sequence=request.sequence,
    )
