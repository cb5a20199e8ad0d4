"""What clients hold, for the whole server: opens, share modes, deletions that wait, locks."""

from smbd.state.changes import Change, Changes, Flight
from smbd.state.deadlines import Deadline, Deadlines
from smbd.state.files import FileState, FileTable, Link
from smbd.state.line import Line, LinePlace, Lines
from smbd.state.listing import Listing
from smbd.state.locks import ByteRange, ByteRangeLocks, LockWait
from smbd.state.notify import WRITTEN, ChangeNotifyEntry, ChangeNotifyList, NotifyWait
from smbd.state.open import Enumeration, Open, OpenTable
from smbd.state.pipe import PipeOpen
from smbd.state.waits import Wait

__all__ = [
    "WRITTEN",
    "ByteRange",
    "ByteRangeLocks",
    "Change",
    "ChangeNotifyEntry",
    "ChangeNotifyList",
    "Changes",
    "Deadline",
    "Deadlines",
    "Enumeration",
    "FileState",
    "FileTable",
    "Flight",
    "Line",
    "LinePlace",
    "Lines",
    "Link",
    "Listing",
    "LockWait",
    "NotifyWait",
    "Open",
    "OpenTable",
    "PipeOpen",
    "Wait",
]
