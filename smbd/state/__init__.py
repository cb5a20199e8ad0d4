"""What clients hold, for the whole server: opens, share modes, deletions that wait, locks."""

from smbd.state.files import FileState, FileTable
from smbd.state.open import Enumeration, Open, OpenTable

__all__ = ["Enumeration", "FileState", "FileTable", "Open", "OpenTable"]
