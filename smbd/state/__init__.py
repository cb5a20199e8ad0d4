"""What clients hold, for the whole server: opens, share modes, deletions, locks, caching."""

from smbd.state.apart import Apart
from smbd.state.aside import Told
from smbd.state.caching import OPLOCKS, PATIENCE, Break, Caching, Operation, level_of
from smbd.state.cachings import Cachings
from smbd.state.changes import Change, Changes, Flight
from smbd.state.client import Client, Listener, Listeners, WantedCaching
from smbd.state.deadlines import Deadline, Deadlines
from smbd.state.durability import Creation, Durability, timeout_of
from smbd.state.durable import Claim, DurableOpens
from smbd.state.file_event import ADDED, REMOVED, FileEvent, linked, modified, renamed
from smbd.state.file_state import FileState, Link
from smbd.state.files import FileTable
from smbd.state.guards import Guards
from smbd.state.holder import Holder
from smbd.state.listing import Listing
from smbd.state.local import LocalChanges
from smbd.state.lock_sets import ByteRange
from smbd.state.locks import ByteRangeLocks, LockWait
from smbd.state.marks import Mark, Watched
from smbd.state.notify import WRITTEN, ChangeNotifyEntry, ChangeNotifyList, name_filter
from smbd.state.open import UNUSED, Enumeration, Open
from smbd.state.opens import OpenTable
from smbd.state.pipe import PipeOpen
from smbd.state.queues import Queues
from smbd.state.replay import Creations
from smbd.state.tables import Tables
from smbd.state.waits import QueueEntry, Wait

__all__ = [
    "ADDED",
    "OPLOCKS",
    "PATIENCE",
    "REMOVED",
    "UNUSED",
    "WRITTEN",
    "Apart",
    "Break",
    "ByteRange",
    "ByteRangeLocks",
    "Caching",
    "Cachings",
    "Change",
    "ChangeNotifyEntry",
    "ChangeNotifyList",
    "Changes",
    "Claim",
    "Client",
    "Creation",
    "Creations",
    "Deadline",
    "Deadlines",
    "Durability",
    "DurableOpens",
    "Enumeration",
    "FileEvent",
    "FileState",
    "FileTable",
    "Flight",
    "Guards",
    "Holder",
    "Link",
    "Listener",
    "Listeners",
    "Listing",
    "LocalChanges",
    "LockWait",
    "Mark",
    "Open",
    "OpenTable",
    "Operation",
    "PipeOpen",
    "QueueEntry",
    "Queues",
    "Tables",
    "Told",
    "Wait",
    "WantedCaching",
    "Watched",
    "level_of",
    "linked",
    "modified",
    "name_filter",
    "renamed",
    "timeout_of",
]
