"""A scripted SMB2 client: numbers its messages, relates and signs them, and logs in.

It makes and reads bytes, nothing else: whoever holds it carries them.
"""

from struct import pack_into

from smbd.crypto import PREAUTH_START, derive_keys, extend_preauth_hash, make_signer
from tests.auth.peers import Impacket
from tests.core import messages
from tests.core.messages import (
    CANCEL,
    NEGOTIATE,
    PREAUTH_SHA512,
    RELATED,
    SESSION_SETUP,
    SIGNED,
    TREE_CONNECT,
)

SUCCESS, MORE_PROCESSING_REQUIRED, PENDING = 0, 0xC0000016, 0x103


class Peer:
    """One client on one connection."""

    def __init__(self, dialect=0x0302):
        self.dialect = dialect
        self.next_id = 0
        self.session_id = 0
        self.tree_id = 0
        self.signer = None
        self.preauth = PREAUTH_START

    # --- requests ---

    def request(self, command, body=messages.EMPTY, **fields):
        """One message, signed if somebody is logged in."""
        return bytes(self._signed(self._numbered(command, body, fields)))

    def related(self, *commands):
        """A related compound; each command is (number, body) or (number, body, fields)."""
        return self.compound(*commands, flags=RELATED)

    def compound(self, *commands, flags=0):
        """A compound; `flags` are those of all but its first."""
        parts = []
        for place, (command, body, *more) in enumerate(commands):
            fields = {"flags": flags if place else 0} | (more[0] if more else {})
            part = self._numbered(command, body, fields)
            if place < len(commands) - 1:
                part += bytes(-len(part) % 8)
                pack_into("<I", part, 20, len(part))
            parts.append(part)
        return b"".join(bytes(self._signed(part)) for part in parts)

    def _numbered(self, command, body, fields):
        charge = fields.get("charge", 1)
        fields = {
            "session_id": self.session_id,
            "tree_id": self.tree_id,
            "message_id": self.next_id,
        } | fields
        if command != CANCEL and fields["message_id"] == self.next_id:
            self.next_id += charge or 1
        return bytearray(messages.message(command, body, **fields))

    def _signed(self, part):
        if self.signer is not None:
            part[16] |= SIGNED
            self.signer.sign_into(part)
        return part

    # --- logging in: each step takes the answer to the one before and gives the next request ---

    def negotiate(self, **fields):
        contexts = (PREAUTH_SHA512,) if self.dialect == 0x0311 else ()
        body = messages.negotiate(self.dialect, contexts=contexts)
        return self._hashed(self.request(NEGOTIATE, body, **fields))

    def negotiated(self, answer):
        assert answer.status == SUCCESS
        self._hashed(answer.raw)

    def login(self, user="test", password="test", **fields):
        """The requests of a login; a generator that is sent the answers."""
        client = Impacket(user, password)
        answer = yield self._setup(client.negotiate(), fields)
        assert answer.status == MORE_PROCESSING_REQUIRED
        self.session_id = answer.session_id
        self._hashed(answer.raw)
        proof = client.authenticate(answer.token).getData()
        answer = yield self._setup(proof, fields)
        if answer.status == SUCCESS:
            keys = derive_keys(self.dialect, client.session_key, self.preauth)
            self.signer = make_signer(0 if self.dialect < 0x0300 else 1, keys.signing)
            assert self.signer.verify(memoryview(bytearray(answer.raw)))

    def _setup(self, token, fields):
        return self._hashed(self.request(SESSION_SETUP, messages.session_setup(token), **fields))

    def tree_connect(self, share="share", **fields):
        return self.request(TREE_CONNECT, messages.tree_connect(f"\\\\box\\{share}"), **fields)

    def _hashed(self, frame):
        if self.signer is None:
            self.preauth = extend_preauth_hash(self.preauth, frame)
        return frame
