"""What clients have asked and been answered: the journal of a server, and captures of its frames.

Both are observers (smbd.observing), which nobody pays for who has none.
"""

from smbd.journal.capture import Capture
from smbd.journal.entry import Entries, Entry
from smbd.journal.journal import Journal
from smbd.journal.lines import Lines

__all__ = ["Capture", "Entries", "Entry", "Journal", "Lines"]
