"""A peer on a socket.  Nothing is received but by who waits: a test may well not listen."""

from dataclasses import replace

import trio

from tests.core import messages
from tests.core.messages import CANCEL, UNASKED
from tests.scripted.framing import FrameReader, framed
from tests.scripted.offer import PLAIN
from tests.scripted.peer import PENDING, SUCCESS, Peer
from tests.scripted.verbs import Verbs


class HungUpError(Exception):
    """The server has ended the connection, and somebody waits."""


class Connection(Verbs):
    """`ask` waits for its own response, whatever else comes; several tasks may wait at once."""

    def __init__(self, stream, offer=PLAIN, sessions=None):
        self.stream = stream
        self.peer = Peer(offer, sessions)
        self.notifications = []  # what came unasked and nobody has taken
        self._unclaimed = []  # responses, in the order in which they came
        self._reader = FrameReader()
        self._receiving = trio.Lock()

    @property
    def session(self):
        """Whose requests are sent if nobody says."""
        return self.peer.session

    @session.setter
    def session(self, session):
        self.peer.session = session

    # --- out ---

    async def send(self, *frames):
        """Frames, whatever they are."""
        await self.stream.send_all(framed(*frames))

    async def begin(self, command, body=messages.EMPTY, *, seal=None, session=None, **how):
        """Send one request, sealed where its session must be; its MessageId."""
        session = session or self.session
        if seal is None:
            seal = session.must_seal
        if seal:
            how["signed"] = False
        frame = self.peer.request(command, body, session=session, **how)
        await self.send(self.peer.sealed(frame, session) if seal else frame)
        return _message_id(frame)

    async def begin_compound(self, *commands, seal=None, session=None, **how):
        """Send a compound, `flags` in all but its first; the MessageIds."""
        session = session or self.session
        if seal is None:
            seal = session.must_seal
        if seal:
            how["signed"] = False
        frame = self.peer.compound(*commands, session=session, **how)
        await self.send(self.peer.sealed(frame, session) if seal else frame)
        found, at = [], 0
        while True:
            found.append(_message_id(frame, at))
            after = int.from_bytes(frame[at + 20 : at + 24], "little")
            if not after:
                return found
            at += after

    async def cancel(self, message_id=None, *, async_id=None, **how):
        """Of a request by its MessageId, or by the AsyncId of its interim response."""
        fields = {} if async_id is None else {"flags": messages.ASYNC, "async_id": async_id}
        await self.begin(CANCEL, message_id=message_id or 0, **fields, **how)

    # --- in ---

    async def frame(self):
        """The next frame as it came; b"" when the server has hung up."""
        while (frame := self._reader.next()) is None:
            try:
                data = await self.stream.receive_some()
            except trio.BrokenResourceError:
                data = b""
            if not data:
                return b""
            self._reader.feed(data)
        return frame

    async def answers(self):
        """The responses of the next frame; [] when the server has hung up."""
        await self._until(lambda: self._unclaimed, hung_up_is_fine=True)
        found, self._unclaimed = self._unclaimed, []
        return found

    async def answer(self):
        """The next response that is not an interim one."""
        while True:
            await self._until(lambda: self._unclaimed)
            one = self._unclaimed.pop(0)
            if one.status != PENDING:
                return one

    async def reply(self, message_id):
        """The last response to a request."""
        one = await self._claim(lambda one: one.message_id == message_id and one.status != PENDING)
        self._unclaimed = [other for other in self._unclaimed if other.message_id != message_id]
        return one

    async def interim(self, message_id):
        """The interim response to a request."""
        return await self._claim(lambda one: one.message_id == message_id and one.status == PENDING)

    async def notified(self):
        """Until there is a notification; it stays where it is."""
        await self._until(lambda: self.notifications)

    async def notification(self):
        """The next one."""
        await self.notified()
        return self.notifications.pop(0)

    async def hung_up(self):
        """Whether the server ends the connection without another word."""
        return await self.answers() == []

    async def _claim(self, wanted):
        await self._until(lambda: any(map(wanted, self._unclaimed)))
        one = next(filter(wanted, self._unclaimed))
        self._unclaimed.remove(one)
        return one

    async def _until(self, come, *, hung_up_is_fine=False):
        """Receive until it has come.  Another task may hold the lock and receive it meanwhile."""
        while not come():
            async with self._receiving:
                if come():
                    return
                frame = await self.frame()
                if not frame and hung_up_is_fine:
                    return
                if not frame:
                    raise HungUpError
                for one in self.peer.read(frame):
                    unasked = one.message_id == UNASKED
                    (self.notifications if unasked else self._unclaimed).append(one)

    # --- one after the other ---

    async def ask(self, command, body=messages.EMPTY, **how):
        """One request and its response."""
        return await self.reply(await self.begin(command, body, **how))

    async def ask_related(self, *commands, **how):
        """A related compound, and the responses to all of it."""
        ids = await self.begin_compound(*commands, flags=messages.RELATED, **how)
        return [await self.reply(one) for one in ids]

    async def negotiate(
        self, dialects=None, contexts=None, *, message_id=None, asked=None, **offer
    ):
        """NEGOTIATE; the response.  What is not said is as the connection was made."""
        peer = self.peer
        if dialects is not None:
            offer["dialects"] = dialects
            if contexts is None and 0x0311 not in dialects:
                contexts = ()
        if contexts is not None:
            offer["contexts"] = contexts
        peer.offer = replace(peer.offer, **offer)
        if message_id is not None:
            peer.next_id = message_id
        await self.send(peer.negotiate(**{} if asked is None else {"asked": asked}))
        answer = await self.answer()
        if answer.status == SUCCESS:
            peer.negotiated(answer)
        return answer

    async def log_in(self, *credentials, **how):
        """SESSION_SETUP until it is decided, as `Peer.login` takes it; the last response."""
        steps = self.peer.login(*credentials, **how)
        request = next(steps)
        while True:
            await self.send(request)
            try:
                request = steps.send(await self.reply(_message_id(request)))
            except StopIteration as end:
                return end.value

    async def enter(self, share="share", *, session=None, **how):
        """TREE_CONNECT; the response.  Later requests of the session go to this tree."""
        session = session or self.session
        session.tree_id = 0
        body = messages.tree_connect(rf"\\box\{share}")
        answer = await self.ask(messages.TREE_CONNECT, body, session=session, **how)
        session.tree_id = answer.tree_id
        return answer

    async def connect(self, share="share", user="test", password="test", **negotiated):
        """All the way to a share."""
        assert (await self.negotiate(**negotiated)).status == SUCCESS
        assert (await self.log_in(user, password)).status == SUCCESS
        assert (await self.enter(share)).status == SUCCESS


def _message_id(frame, at=0):
    return int.from_bytes(frame[at + 24 : at + 32], "little")
