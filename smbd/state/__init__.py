"""What clients hold, for the whole server: opens, share modes, deletions that wait, locks."""

from smbd.state.files import FileState, FileTable, Link
from smbd.state.line import Line, LinePlace
from smbd.state.locks import ByteRange, ByteRangeLocks, LockWait
from smbd.state.notify import WRITTEN, ChangeNotifyEntry, ChangeNotifyList, NotifyWait
from smbd.state.open import Enumeration, Open, OpenTable
from smbd.state.pipe import PipeOpen

__all__ = [
    "WRITTEN",
    "ByteRange",
    "ByteRangeLocks",
    "ChangeNotifyEntry",
    "ChangeNotifyList",
    "Enumeration",
    "FileState",
    "FileTable",
    "Line",
    "LinePlace",
    "Link",
    "LockWait",
    "NotifyWait",
    "Open",
    "OpenTable",
    "PipeOpen",
]
