"""The client's half of one connection: numbers, relates, signs and seals requests, and logs in.

It makes and reads bytes, nothing else: whoever holds it carries them.  Everything it reads is
checked: a signature or a seal must be right.
"""

from struct import pack_into, unpack_from

from smbd.crypto import (
    PREAUTH_START,
    Sealer,
    derive_keys,
    extend_preauth_hash,
    make_signer,
    signing_algorithm,
    transform_session_id,
)
from tests.core import messages
from tests.core.messages import (
    CANCEL,
    LOGOFF,
    NEGOTIATE,
    RELATED,
    SESSION_SETUP,
    SIGNED,
    TREE_CONNECT,
)
from tests.scripted import frames
from tests.scripted.offer import PLAIN
from tests.scripted.session import Bare, Session, credentials

SUCCESS, MORE_PROCESSING, PENDING = 0, 0xC0000016, 0x103
USER_SESSION_DELETED, ACCESS_DENIED = 0xC0000203, 0xC0000022
SEALED = b"\xfdSMB"
BINDING = 1  # SMB2_SESSION_FLAG_BINDING
_NO_KEY = 3  # SessionFlags: guest, anonymous


class Peer:
    """One client on one connection; `session` is whose requests it makes if nobody says."""

    def __init__(self, offer=PLAIN, sessions=None):
        self.offer = offer
        self.dialect = offer.dialects[-1]  # what is talked where nothing is negotiated
        self.signing = signing_algorithm(self.dialect)
        self.cipher_id = self.capabilities = self.next_id = 0
        self.contexts = {}  # of the NEGOTIATE response
        self.preauth = PREAUTH_START
        self.session = Session()
        self.sessions = {} if sessions is None else sessions
        self.channels = {}  # SessionId -> signer by Channel.SigningKey, where it is another key
        self.sealed_answers = 0  # interim ones as well
        self.answers_in_the_clear = 0
        self._over = set()  # SessionIds that this connection has heard to be nobody's
        self._negotiating = b""
        self._binding = None

    # --- requests ---

    def request(self, command, body=messages.EMPTY, *, session=None, signed=None, **header):
        """One message; signed if its session has a key, unless `signed` says otherwise."""
        session = session or self.session
        return bytes(self._signed(self._numbered(command, body, session, header), session, signed))

    def related(self, *commands, **how):
        """A related compound; each command is (number, body) or (number, body, fields)."""
        return self.compound(*commands, flags=RELATED, **how)

    def compound(self, *commands, flags=0, session=None, signed=None):
        """A compound; `flags` are those of all but its first."""
        session, parts = session or self.session, []
        for place, (command, body, *more) in enumerate(commands):
            header = {"flags": flags if place else 0} | (more[0] if more else {})
            part = self._numbered(command, body, session, header)
            if place < len(commands) - 1:
                part += bytes(-len(part) % 8)
                pack_into("<I", part, 20, len(part))
            parts.append(part)
        return b"".join(bytes(self._signed(part, session, signed)) for part in parts)

    def sealed(self, frame, session=None):
        session = session or self.session
        return b"".join(session.sealer.seal(session.session_id, [frame]))

    def _numbered(self, command, body, session, header):
        header = {
            "session_id": session.session_id,
            "tree_id": session.tree_id,
            "message_id": self.next_id,
            "asked": self.offer.credits,
        } | header
        if command != CANCEL and header["message_id"] == self.next_id:
            self.next_id += header.get("charge", 1) or 1
        return bytearray(messages.message(command, body, **header))

    def _signed(self, part, session, signed):
        """[MS-SMB2] 3.3.5.2.4: by the key of the channel, and by the session's while it is bound.

        3.2.4.1.1 has clients sign any SESSION_SETUP by the session's; Windows and Samba refuse that
        on a channel that is bound.
        """
        signer = self._channel_signer(session)
        if signer is not None if signed is None else signed:
            part[16] |= SIGNED
            signer.sign_into(part)
        return part

    def _channel_signer(self, session):
        return self.channels.get(session.session_id, session.signer)

    # --- responses ---

    def read(self, frame):
        """The responses of a frame, taken out of its seal; their signatures are right."""
        sealed = frame[:4] == SEALED
        if sealed:
            session = self.sessions[transform_session_id(frame)]
            frame = session.sealer.open(memoryview(frame))
        found = messages.answers(frame)
        self.sealed_answers += sealed
        self.answers_in_the_clear += not sealed
        for one in found:
            if one.flags & SIGNED:
                assert not sealed
                self._verify(one)
        return found

    def expect_the_end_of(self, session_id):
        """A login that fails ends its session before it is answered: others lack their key then."""
        self._over.add(session_id)

    def _verify(self, answer):
        """[MS-SMB2] 3.3.4.1.1: of a login, only its good end is signed by the channel's key."""
        session = self.sessions.get(answer.session_id)
        if answer.status == USER_SESSION_DELETED:
            self._over.add(answer.session_id)
        if session is None or answer.session_id in self._over:
            return  # it carries the signature of its request: the server has no key any more
        if session is self._binding and answer.status != MORE_PROCESSING:
            return  # `login` checks it with the new key; a server that refuses may have none
        in_between = answer.command == SESSION_SETUP and answer.status != SUCCESS
        failed = answer.status not in {MORE_PROCESSING, ACCESS_DENIED}
        signer = self._channel_signer(session)
        assert signer is None or signer.verify(memoryview(bytearray(answer.raw)))
        # What follows, an ECHO say, finds no key on the server.  A binding that fails ends nothing.
        ended_by = {LOGOFF: answer.status == SUCCESS, SESSION_SETUP: in_between and failed}
        if ended_by.get(answer.command):
            self._over.add(answer.session_id)

    # --- coming in: NEGOTIATE, SESSION_SETUP, TREE_CONNECT ---

    def negotiate(self, **header):
        self._negotiating = self.request(NEGOTIATE, self.offer.body(), **header)
        return self._negotiating

    def negotiated(self, answer):
        assert answer.status == SUCCESS
        raw = answer.raw
        self.dialect, count = unpack_from("<HH", raw, 68)
        self.capabilities = unpack_from("<I", raw, 88)[0]
        self.preauth = extend_preauth_hash(PREAUTH_START, self._negotiating)
        self.preauth = extend_preauth_hash(self.preauth, raw)
        self.signing = signing_algorithm(self.dialect)
        if self.dialect < 0x0311:
            self.cipher_id = 1 if self.capabilities & 0x40 else 0
            return
        at = unpack_from("<I", raw, 124)[0]
        for _ in range(count):
            at += -at % 8
            kind, length = unpack_from("<HH", raw, at)
            self.contexts[kind] = raw[at + 8 : at + 8 + length]
            at += 8 + length
        if frames.ENCRYPTION in self.contexts:
            self.cipher_id = unpack_from("<H", self.contexts[frames.ENCRYPTION], 2)[0]
        if frames.SIGNING in self.contexts:
            self.signing = unpack_from("<H", self.contexts[frames.SIGNING], 2)[0]

    def login(
        self,
        user="test",
        password="test",
        *,
        again=None,
        binding=None,
        context=None,
        asked=64,
        **setup,
    ):
        """The requests of a login; a generator that is sent the answers, and returns the last one.

        It is a new session, or `again` one of this connection that proves itself again, or
        `binding` one of another connection to this one ([MS-SMB2] 3.2.4.2.3.2).  `session` is set.
        """
        context = context or credentials(user, password, wrapped=self.offer.wrapped)
        session = again or binding or Session()
        if binding is not None:
            setup["flags"] = BINDING
            self._binding = binding
        token, preauth, answer = context.step(), self.preauth, None
        while answer is None or answer.status == MORE_PROCESSING:
            body = messages.session_setup(token, **setup)
            request = self.request(SESSION_SETUP, body, session=session, asked=asked)
            preauth = extend_preauth_hash(preauth, request)
            answer = yield request
            session.session_id = answer.session_id
            if answer.status == MORE_PROCESSING:
                preauth = extend_preauth_hash(preauth, answer.raw)
                token = context.step(answer.token)
        self._binding = None
        if answer.status == SUCCESS:
            self._check_token(context, answer)
            if again is None:
                key = context.session_key
                (self._bound if binding else self._logged_in)(session, answer, key, preauth)
        return answer

    @staticmethod
    def _check_token(context, answer):
        if not isinstance(context, Bare):
            assert answer.token
            context.step(answer.token)  # checks the server's mechListMIC
        assert context.complete

    def _logged_in(self, session, answer, key, preauth):
        session.flags = unpack_from("<H", answer.raw, 66)[0]
        if not session.flags & _NO_KEY:
            keys = derive_keys(self.dialect, key, preauth, self.cipher_id)
            session.signer = make_signer(self.signing, keys.signing)
            if self.cipher_id:
                session.sealer = Sealer(self.cipher_id, keys.decryption, keys.encryption)
            assert answer.flags & SIGNED
            assert session.signer.verify(memoryview(bytearray(answer.raw)))
        self.session = self.sessions[session.session_id] = session

    def _bound(self, session, answer, key, preauth):
        """[MS-SMB2] 3.2.5.3.3: the new login's key signs on this channel, and seals nowhere."""
        assert self.dialect >= 0x0300
        keys = derive_keys(self.dialect, key, preauth, self.cipher_id)
        signer = make_signer(self.signing, keys.signing)
        assert answer.flags & SIGNED
        assert signer.verify(memoryview(bytearray(answer.raw)))
        self.channels[session.session_id] = signer
        self.session = session

    def tree_connect(self, share="share", **header):
        return self.request(TREE_CONNECT, messages.tree_connect(rf"\\box\{share}"), **header)
