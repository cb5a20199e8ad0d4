"""What clients hold, for the whole server: opens, share modes, deletions that wait, locks."""

from smbd.state.files import FileState, FileTable
from smbd.state.locks import ByteRange, ByteRangeLocks
from smbd.state.open import Enumeration, Open, OpenTable
from smbd.state.pipe import PipeOpen

__all__ = [
    "ByteRange",
    "ByteRangeLocks",
    "Enumeration",
    "FileState",
    "FileTable",
    "Open",
    "OpenTable",
    "PipeOpen",
]
