"""What a share does with names and deletions, beyond what every share does."""

from typing import NamedTuple

from smbd.vfs.recycling import Recycle
from smbd.vfs.visibility import Names


class Rules(NamedTuple):
    """None: nothing, and nothing is asked."""

    veto: Names | None = None  # neither found nor made
    hide: Names | None = None  # HIDDEN
    recycle: Recycle | None = None  # where deleted files are kept


NO_RULES = Rules()
