"""impacket's SMBConnection."""

from impacket.smb3 import SMB3
from impacket.smbconnection import SMBConnection

DIALECTS = {"2.0.2": 0x0202, "2.1": 0x0210, "3.0": 0x0300, "3.0.2": 0x0302, "3.1.1": 0x0311}


class ImpacketClient:
    """A logged-in connection: `connection` is impacket's own.

    It always seals where dialect and server can, with AES-128-CCM, and begins with SMB1's
    NEGOTIATE when no dialect is pinned.
    """

    def __init__(
        self, server, dialect=None, *, user=None, password=None, share=None, port=None
    ):  # fmt: skip
        self.share = share or server.share
        port = port or server.port
        if dialect is None:
            self.connection = SMBConnection(server.host, server.host, sess_port=port)
        else:
            self.connection = _pinned(server.host, port, DIALECTS[dialect])
        user = server.user if user is None else user
        password = server.password if password is None else password
        try:
            self.connection.login(user, password)
        except BaseException:
            self.connection.getSMBServer().close_session()
            raise

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            self.connection.close()
        else:
            self.connection.getSMBServer().close_session()

    def put(self, name, data):
        rest = memoryview(data)

        def more(size):
            nonlocal rest
            piece, rest = rest[:size], rest[size:]
            return bytes(piece)

        self.connection.putFile(self.share, name, more)

    def get(self, name):
        received = bytearray()
        self.connection.getFile(self.share, name, received.extend)
        return bytes(received)

    def listing(self, folder=""):
        pattern = f"{folder}/*" if folder else "*"
        return [one.get_longname() for one in self.connection.listPath(self.share, pattern)]

    def names(self, folder=""):
        return set(self.listing(folder)) - {".", ".."}

    def remove(self, name):
        self.connection.deleteFile(self.share, name)


def _pinned(host, port, dialect):
    """A connection that offers one dialect.  Made in two steps: one that fails leaks its socket."""
    smb3 = SMB3.__new__(SMB3)
    try:
        smb3.__init__(host, host, sess_port=port, preferredDialect=dialect)
    except BaseException:
        smb3.close_session()
        raise
    return SMBConnection(existingConnection=smb3)
