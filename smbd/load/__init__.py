"""The load client: real SMB sessions that keep a server busy, and note what they were given.

It knows none of the rooms of smbd: it measures as any client would.
"""

from smbd.load.client import Group, LoadClient, Outcome
from smbd.load.session import LoadError, Session, Signing, Target
from smbd.load.work import Offsets, Operation, Work, at_random, file_name, in_turn

__all__ = [
    "Group",
    "LoadClient",
    "LoadError",
    "Offsets",
    "Operation",
    "Outcome",
    "Session",
    "Signing",
    "Target",
    "Work",
    "at_random",
    "file_name",
    "in_turn",
]
