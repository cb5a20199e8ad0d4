"""A login and what it holds: [MS-SMB2] 3.3.1.8 (Session) and 3.3.1.9 (TreeConnect).

The life of a Session, in the words of Session.State:

* InProgress: the first SESSION_SETUP makes it, with one Channel on its connection (`_channel` in
  commands.session_setup).  `identity` is None: SESSION_SETUP alone may use it, one round each time.
* Valid: the last round gives it `identity` and keys (`_establish`).  It has tree connects
  (`connect`), and these hold its opens.
* InProgress again: a SESSION_SETUP begins a reauthentication, and it is `suspended` until that has
  succeeded (`_renew`).  Its keys stay; commands may only let go (Row.while_suspended).
* Expired it never is: an NTLM login has no end of its own.

A Valid session gets one more Channel by a SESSION_SETUP with the flag BINDING, on another
connection (commands.binding).  When a connection ends its Channel goes (`lose`), and the session
with the last of them, but its durable opens are parked (teardown.lose_channel).  Other ends are
LOGOFF, a login that fails, a new login that names it as PreviousSessionId, and `tsmbd disconnect`.
Each comes to teardown.end_session: no table finds the session any more, requests of before find it
`suspended` (`forget`), and its tree connects and the rest of its opens end.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from smbd.auth import Exchange, Identity
from smbd.breaks import pack_break
from smbd.crypto import Sealer, Signer
from smbd.memory import CHANNEL, TREE, Account, Holding
from smbd.negotiated import Negotiated
from smbd.ntstatus import NtError, NtStatus
from smbd.share import Share
from smbd.state import Break, Listeners, Open, PipeOpen
from smbd.vfs import Root
from smbd.wire.access import Access

MOST_CHANNELS = 32  # of one session, as on Windows


@dataclass(slots=True, eq=False)
class Tree:
    """A share as one session has connected to it."""

    tree_id: int
    share: Share | None  # None: IPC$, which has pipes and no folder
    maximal_access: int  # of what is opened from now on; an Open keeps what it was granted
    session: "Session"
    encrypt: bool = False
    root: Root | None = None  # its folder as it was when the session connected
    # The session has proved itself again as a guest, and guests may not enter here: what is open
    # stays so, as on Windows; nothing more is opened, and nothing gets a new name.
    barred: bool = False
    opened: dict[int, Open | PipeOpen] = field(default_factory=dict)  # in the order they came
    _claimants: tuple[str, str, str] | None = None

    @property
    def may_write(self) -> bool:
        """Whether anything may be made, changed or removed by it."""
        return bool(self.maximal_access & Access.FILE_WRITE_DATA)

    # --- as a Holder ---

    @property
    def session_id(self) -> int:
        """The id of its session."""
        return self.session.session_id

    @property
    def claimants(self) -> tuple[str, str, str]:
        """Its opens count for these: the session, the user, the client's network."""
        if self._claimants is None:  # all opens have the same tuple: 250 bytes less for each
            self._claimants = self.session.claimants
        return self._claimants

    @property
    def account(self) -> Account:
        """The memory of the session."""
        return self.session.memory

    @property
    def teller(self) -> Listeners:
        """Tells the client that an oplock is broken."""
        return self.session.listeners

    def enter(self, opened: Open | PipeOpen) -> None:
        """Hold a file or pipe until `leave`."""
        if isinstance(opened, PipeOpen):
            self.session.pipes[opened.volatile_id] = opened
        else:
            self.session.opens[opened.volatile_id] = opened
        self.opened[opened.volatile_id] = opened

    def leave(self, opened: Open | PipeOpen) -> None:
        """Hold it no more; a second time does nothing."""
        if isinstance(opened, PipeOpen):
            self.session.pipes.pop(opened.volatile_id, None)
        else:
            self.session.opens.pop(opened.volatile_id, None)
        self.opened.pop(opened.volatile_id, None)


@dataclass(slots=True, eq=False)
class Channel:
    """A session on one connection ([MS-SMB2] 3.3.1.14): what belongs to the two of them alone."""

    session: "Session"
    client: str  # its connection's address and port, for people
    negotiated: Negotiated  # of its connection
    account: Account  # the memory of its connection
    leave: Callable[[], object]  # takes it out of its connection's table
    notify: Callable[[bytes, int, "Session | None"], None]  # Connection.notify
    # By Channel.SigningKey; while the channel is bound by Session.SigningKey.  None: nothing can be
    # signed.
    signer: Signer | None = None
    exchange: Exchange | None = None  # the login under way, also a re-authentication
    preauth: bytes = b""  # PreauthIntegrityHashValue while the channel's first login is under way
    memory: Holding = field(default_factory=Holding)  # of the login under way

    def end(self) -> None:
        """Its connection knows the session no more; a second time does nothing."""
        self.leave()
        self.exchange = None
        self.memory.end()

    def tell_break(self, notification: Break) -> None:
        """Send the client that an oplock is broken ([MS-SMB2] 3.3.4.6)."""
        session = self.session
        seals = session.encrypt or session.encrypted_trees
        body = pack_break(notification)
        self.notify(body, session.session_id, session if seals else None)


@dataclass(slots=True, eq=False)
class Session:
    """One login ([MS-SMB2] 3.3.1.8); the module says how it lives."""

    session_id: int
    began: float  # by the server's clock
    negotiated: Negotiated = field(default_factory=Negotiated)  # of its first connection
    network: str = ""  # which addresses count as one with the client's: for limits
    # In the order they came; its memory is that of the first one's connection, and moves on with
    # its end.
    channels: list[Channel] = field(default_factory=list)
    listeners: Listeners = field(default_factory=Listeners)  # the same, to be told of breaks
    identity: Identity | None = None
    first_identity: Identity | None = None  # of its first login: the keys are this account's
    suspended: bool = False  # it has to prove itself again, or has ended
    signing_required: bool = False
    encrypt: bool = False  # EncryptData: every request must come sealed
    signer: Signer | None = None  # by Session.SigningKey, that of its first channel
    sealer: Sealer | None = None
    trees: dict[int, Tree] = field(default_factory=dict)
    encrypted_trees: int = 0  # those with `encrypt`: one request may break 1,024 oplocks
    opens: dict[int, Open] = field(default_factory=dict)  # by the volatile half of FileId
    pipes: dict[int, PipeOpen] = field(default_factory=dict)
    next_tree_id: int = 1
    read_dir_attr: bool = False  # listings are in Apple's layout: the client has asked (AAPL)
    memory: Holding = field(default_factory=Holding)

    @property
    def has_key(self) -> bool:
        """Whether it can sign: guests and anonymous users have no key ([MS-SMB2] 3.3.5.5.3)."""
        return self.signer is not None

    @property
    def user(self) -> str:
        """The login name for logs and checks; empty before the login is done."""
        return self.identity.user if self.identity else ""

    @property
    def owner(self) -> Identity | None:
        """The account, whatever it has stepped down to: for limits and `disconnect`."""
        return self.first_identity or self.identity

    @property
    def claimants(self) -> tuple[str, str, str]:
        """Its opens count for these (OpenTable.check); all guests of a network are one user."""
        owner = self.owner
        assert owner is not None, "the row of CREATE needs a session"
        guest = owner.is_guest or owner.is_anonymous
        user = f"guest {self.network}" if guest else f"user {owner.user}"
        return f"session {self.session_id}", user, self.network

    def join(self, channel: Channel) -> None:
        """Add a channel; INSUFFICIENT_RESOURCES if there are as many as Windows allows."""
        if self.channels:
            if len(self.channels) >= MOST_CHANNELS:
                raise NtError(NtStatus.INSUFFICIENT_RESOURCES)
            self.memory.grow(CHANNEL)
        self.channels.append(channel)

    def lose(self, channel: Channel) -> bool:
        """Take out a channel whose connection has ended; whether the session goes on by others.

        Not with the last one.  Nor where no other connection has room for what the session holds:
        a client could otherwise hold the more the more connections it gives up.
        """
        channel.end()
        if channel not in self.channels:
            return False  # it has ended already
        first = self.channels[0]
        self.channels.remove(channel)
        if not self.channels:
            return False
        self.memory.grow(-CHANNEL)
        return channel is not first or self._move_on()

    def _move_on(self) -> bool:
        """Count what it holds for another of its connections; whether one has room for that."""
        for number, channel in enumerate(self.channels):
            with suppress(NtError):
                self.memory.move(channel.account)
                self.channels.insert(0, self.channels.pop(number))
                return True
        return False

    def forget(self) -> None:
        """Let no connection know the session any more, which has ended; a second call does nothing.

        Its requests that came before find it suspended.
        """
        self.suspended = True
        while self.channels:
            self.channels.pop().end()

    def connect(
        self, share: Share | None, maximal_access: int, *, encrypt: bool, root: Root | None = None
    ) -> Tree:
        """Add a tree connect under an id that this session has not used.

        INSUFFICIENT_RESOURCES if the connection holds too much.
        """
        self.memory.grow(TREE)
        tree = Tree(self.next_tree_id, share, maximal_access, self, encrypt, root)
        self.next_tree_id += 1
        self.trees[tree.tree_id] = tree
        self.encrypted_trees += encrypt
        if share is not None:
            share.trees += 1
        return tree

    def disconnect(self, tree: Tree) -> None:
        """Take a tree connect out; a second time does nothing."""
        if self.trees.pop(tree.tree_id, None) is not None:
            self.memory.grow(-TREE)
            self.encrypted_trees -= tree.encrypt
            if tree.share is not None:
                tree.share.trees -= 1
