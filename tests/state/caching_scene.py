"""Clients that cache one file, without connections: what they are told stands in a list."""

from dataclasses import dataclass, field

from smbd.state import Wait
from smbd.state.caching import Caching, H, Operation, R, W
from smbd.state.cachings import Cachings
from smbd.state.client import Client, Listeners
from smbd.state.deadlines import Deadlines
from smbd.wire.access import Access
from smbd.wire.create_contexts import Lease

EVERYTHING = 0x001F01FF
LOOKING = Access.FILE_READ_ATTRIBUTES
NONE, LEVEL_II, EXCLUSIVE, BATCH = 0, R, R | W, R | W | H


def rights(text):
    return sum({"R": R, "H": H, "W": W}[letter] for letter in text)


def letters(state):
    return "".join(letter for letter, right in (("R", R), ("W", W), ("H", H)) if state & right)


@dataclass(eq=False)
class Wire:
    """A connection: what is told over it is heard by the scene."""

    scene: "Scene"
    name: str

    def tell_break(self, notification):
        caching = notification.caching
        whose = caching.key.decode() or "oplock"
        told = f"{letters(notification.held)}>{letters(notification.left)}"
        again = "!" if notification.needs_acknowledgment else ""
        self.scene.heard.append(f"{self.name}: {whose} {told}{again}")


@dataclass(eq=False)
class Handle:
    """An open, as far as caching is concerned."""

    file: Cachings
    caching: Caching | None
    access: int

    @property
    def has(self):
        return letters(self.caching.held) if self.caching is not None else ""

    def close(self):
        self.file.leave(self.caching, self.access)


@dataclass(eq=False)
class Scene:
    """One file, its clients by name, a clock."""

    now: float = 0.0
    heard: list = field(default_factory=list)
    deadlines: Deadlines = field(default_factory=Deadlines)
    clients: dict = field(default_factory=dict)
    file: Cachings = None
    locked: bool = False

    def __post_init__(self):
        self.file = Cachings(self.deadlines)

    def client(self, name):
        """With one connection of the same name."""
        if name not in self.clients:
            self.clients[name] = Client(guid=name.encode())
            self.connect(name, name)
        return self.clients[name]

    def connect(self, client, name):
        wire = Wire(self, name)
        self.client(client).join(wire)
        return wire

    def wire(self, client, number=0):
        return list(self.client(client)._listeners)[number]

    def lose(self, client, wire):
        """Its connection ends, and what was told over it is told again."""
        for _ in self.client(client).lost(wire):
            pass

    def told(self):
        """What was heard since the last time."""
        heard, self.heard = self.heard, []
        return heard

    def later(self, seconds):
        self.now += seconds
        self.deadlines.pass_(self.now)

    def create(
        self,
        client,
        key="",
        state="",
        *,
        oplock=NONE,
        operation=Operation.OPEN,
        access=EVERYTHING,
        directory=False,
        version=1,
        epoch=0,
        parent="",
    ):
        """As CREATE does it: a Handle, what it has to wait for, or None for SHARING_VIOLATION."""
        client = self.client(client)
        own = client.leases.get(key.encode()) if key else None
        wait = self.file.contend_open(operation, own, access, self.now)
        if isinstance(wait, Wait):
            return wait
        if operation is Operation.COLLISION:
            return None
        caching = None
        if key:
            asked = Lease(version, key.encode(), rights(state), 0, parent.encode(), epoch)
            caching = self.file.lease(client, own, asked, directory=directory, locked=self.locked)
            client.leases[key.encode()] = caching
        elif oplock:
            teller = Listeners()
            teller.join(self.wire(client.guid.decode()))
            handle = Handle(self.file, None, access)
            caching = self.file.oplock(teller, handle, oplock, locked=self.locked)
        handle = Handle(self.file, caching, access)
        self.file.enter(caching, access)
        return handle

    def change(self, handle):
        return self.file.contend(Operation.CHANGE, handle.caching, self.now)

    def remove(self, handle):
        return self.file.contend(Operation.REMOVE, handle.caching, self.now)

    def acknowledge(self, handle, state):
        left = handle.caching.acknowledge(rights(state))
        handle.caching.go_on(self.now)
        return letters(left)
