"""An Open that nobody but its own client can meet: no table has it yet.

A client that has opened a file mostly asks for more of it at once.  While C waits for that and
answers it (smbd.beside), nothing else is done in the server, so nobody looks into a table.  An Open
that ends meanwhile has been in none; any other is entered before anything else is done.
"""

from smbd.state.holder import Holder
from smbd.state.open import Open
from smbd.state.sharing import WRITES
from smbd.state.tables import Tables
from smbd.wire.access import Access

_CHANGES = WRITES | Access.DELETE


class Apart:
    """The Open of one connection that no table has, if there is one."""

    __slots__ = ("_tables", "begins", "open")

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self.begins = False  # the Open of a CREATE that is carried out now may be it
        self.open: Open | None = None

    def takes(self, open_: Open, holder: Holder[Open]) -> bool:
        """Put an Open here, if it may be; NtError as Tables.enter.

        It asks for no caching, has not made its file, and overwrites nothing.  Whoever only reads,
        and is the first to open a file, agrees with everybody.
        """
        if (
            not self.begins
            or self.open is not None
            or open_.granted_access & _CHANGES
            or open_.delete_on_close
            or not self._tables.put_apart(open_, holder)
        ):
            return False
        self.open = open_
        return True

    def find(self, volatile_id: int) -> Open | None:
        """The Open that is here, if it has this id."""
        open_ = self.open
        return open_ if open_ is not None and open_.volatile_id == volatile_id else None

    def ends(self, open_: Open) -> bool:
        """Let an Open end that is here, if it is: its descriptor is to be closed."""
        if open_ is not self.open:
            return False
        self.open, open_.closed = None, True
        return True

    def enter(self) -> None:
        """Enter the Open that is here, if there is one, into all tables."""
        self.begins, open_, self.open = False, self.open, None
        if open_ is not None:
            self._tables.enter_apart(open_)
