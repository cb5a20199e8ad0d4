"""What the answers of a connection have taught: its next requests that are like them go past parts
of the pipeline.

READs and WRITEs go to C (smbd.plain, smbd.misses, smbd.large), compounds are one act (smbd.visits),
and the header of a lone request is taken for one before (smbd.repeats).  Each begins with the first
request that it could have answered, and none while somebody looks on.
"""

from collections.abc import Sequence
from typing import Protocol

from smbd import large, misses
from smbd.commands.visit import lone_removal
from smbd.connection import Connection
from smbd.interims import Interims
from smbd.known_opens import is_plain
from smbd.known_visits import KnownVisits
from smbd.large import Large, is_large, is_long_read
from smbd.misses import Misses
from smbd.plain import Plain
from smbd.predicted import Predicted
from smbd.repeats import Repeats
from smbd.request import Request
from smbd.transport import Transport
from smbd.visits import Visits, lone_shape
from smbd.wire.header import Flags


class Pipeline(misses.Pipeline, large.Pipeline, Protocol):
    """The dispatch of the connection."""


class Learned:
    """The ways past the pipeline that one connection has."""

    __slots__ = (
        "_connection",
        "_interims",
        "_known",
        "_large",
        "_plain",
        "_predicted",
        "_transport",
        "is_observed",
        "repeats",
        "visits",
    )

    def __init__(self, connection: Connection, transport: Transport, interims: Interims) -> None:
        self._connection, self._transport, self._interims = connection, transport, interims
        self._plain: Plain | None = None
        self._known: KnownVisits | None = None
        self._large: Large | None = None
        self._predicted: Predicted | None = None
        self.visits: Visits | None = None
        self.repeats: Repeats | None = None
        self.is_observed = False  # all goes through the commands, and nothing is learned

    def observe(self, *, is_observed: bool) -> None:
        """Somebody looks on from now on, or no longer: all is to be learned again."""
        transport, self.is_observed = self._transport, is_observed
        transport.quick = transport.large = transport.prompt = None
        self.visits = self.repeats = None
        if self._large is not None:
            self._large.end()
        if is_observed and self._plain is not None and self._plain.misses is not None:
            self._plain.misses.take_all()

    def lone(self, request: Request, pipeline: Pipeline) -> None:
        """A lone request was answered at once."""
        if not self.is_observed:
            if self.repeats is None:
                self.repeats = Repeats(self._connection)
            self.repeats.learn(request)
        self.file(request, pipeline)

    def file(self, request: Request, pipeline: Pipeline) -> None:
        """A request was answered that may have read, written, opened or looked at a file."""
        row = request.row
        if row.plain:
            self.plain(request, pipeline)
        elif row.opens and request.open is not None and request.open.delete_on_close:
            self._removal(request, pipeline)
        elif row.opens and self._plain is not None and is_plain(request):
            self._transport.flush_prompt()  # the client need not wait for this
            number, open_ = self._plain.foresee(request), request.open
            if number is not None and open_ is not None and self._predicted is not None:
                self._predicted.opened(open_, number)
                self._plain.predicts = True
        elif row.tells and self._predicted is not None:
            self._predicted.learn(request)

    def _removal(self, request: Request, pipeline: Pipeline) -> None:
        """A file was opened that is to go: the next ones may be C's."""
        if self.is_observed or request.sealed or request.flags & ~Flags.PRIORITY_MASK:
            return
        plain, known = self._ours(pipeline), self._known_visits(pipeline)
        if plain is None or known is None:
            return
        if plain.removes:
            known.missed()
        else:
            visit = lone_removal(request)
            if visit is None or request.credit_charge > 1:
                return
            known.add(lone_shape(request, visit))
            plain.removes = True
        plain.predicts = known.removes

    def plain(self, request: Request, pipeline: Pipeline) -> None:
        """A READ or a WRITE was answered: the next ones of the same file may be C's."""
        if self.is_observed or not is_plain(request):
            return
        plain = self._ours(pipeline)
        if plain is None:
            return
        plain.learn(request)
        self._transport.quick = plain
        if is_large(request):
            self._long(plain, pipeline)
        elif is_long_read(request):
            plain.learn_long(request)

    def _ours(self, pipeline: Pipeline) -> Plain | None:
        """What C answers; None where there is no C."""
        core = self._connection.service.native.core
        if self._plain is None and core is not None:
            self._plain = plain = Plain(core, self._connection)
            plain.misses = self._interims.unseen = Misses(
                core, plain.burst, self._connection, pipeline, self._transport, self._interims
            )
            self._connection.request_list.find_begun = plain.misses.find
            self._predicted = plain.predicted = Predicted(core, plain.burst, self._connection)
        return self._plain

    def _long(self, plain: Plain, pipeline: Pipeline) -> None:
        """The next frames may go past the receive buffer."""
        if self._large is None:
            connection = self._connection
            core = connection.service.native.core
            assert core is not None, "there is a Plain"
            self._large = Large(core, plain, connection, pipeline)
        self._large.learn()
        self._transport.large = self._large

    def compound(self, requests: Sequence[Request], pipeline: Pipeline) -> None:
        """A short compound was answered at once."""
        if self.is_observed:
            return
        if self.visits is None:
            self.visits = Visits(self._connection)
            self._transport.prompt = self.visits.answer
        self.visits.learn(requests, lambda: self._known_visits(pipeline))

    def _known_visits(self, pipeline: Pipeline) -> KnownVisits | None:
        """The visits that C knows; None where there is no C."""
        core, plain = self._connection.service.native.core, self._ours(pipeline)
        if core is None or plain is None:
            return None
        self._transport.quick = plain
        if self._known is None:
            self._known = KnownVisits(core, plain, self._connection)
        return self._known
