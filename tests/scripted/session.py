"""A session as its client knows it ([MS-SMB2] 3.2.1.3), and the tokens of a login."""

from dataclasses import dataclass

from smbd.crypto import Sealer
from tests.auth.peers import Impacket, Pyspnego


@dataclass
class Session:
    """Shared by the connections of a client; each of these has a Channel.SigningKey of its own."""

    session_id: int = 0
    signer: object = None  # by Session.SigningKey
    sealer: Sealer | None = None
    flags: int = 0  # SessionFlags
    tree_id: int = 0  # of the tree that requests go to

    @property
    def must_seal(self):
        return bool(self.flags & 4)


class Bare:
    """NTLMSSP without SPNEGO, by impacket; used as pyspnego's context is.  "" is anonymous."""

    complete = True

    def __init__(self, user="", password=""):
        self._client = Impacket(user, password)
        self.challenge = b""

    def step(self, token=b""):
        if not token:
            return self._client.negotiate()
        self.challenge = token
        return self._client.authenticate(token).getData()

    @property
    def session_key(self):
        return self._client.session_key


def credentials(user, password, *, wrapped):
    """The context of a login: `step(token)`, `session_key`, `complete`."""
    return Pyspnego(user, password).context if user and wrapped else Bare(user, password)
