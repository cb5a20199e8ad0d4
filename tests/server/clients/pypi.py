"""smbprotocol and its smbclient, as they come from PyPI."""

import uuid

import smbclient
from smbprotocol.connection import Connection
from smbprotocol.open import Open
from smbprotocol.session import Session
from smbprotocol.tree import TreeConnect

from smbd.wire.access import Access
from smbd.wire.create import CreateDisposition

DIALECTS = {"2.0.2": 0x0202, "2.1": 0x0210, "3.0": 0x0300, "3.0.2": 0x0302, "3.1.1": 0x0311}
_IMPERSONATION = 2
_ALL_DATA = (
    Access.FILE_READ_DATA | Access.FILE_WRITE_DATA | Access.DELETE
    | Access.FILE_READ_ATTRIBUTES | Access.FILE_WRITE_ATTRIBUTES
)  # fmt: skip


class PypiClient:
    """A connection, a session and a tree connect of smbprotocol's, for it and its smbclient."""

    def __init__(
        self,
        server,
        dialect=None,
        *,
        user=None,
        password=None,
        share=None,
        port=None,
        sign=True,
        encrypt=False,
        ciphers=None,
        signers=None,
        guest=False,
    ):
        self.host, self.port = server.host, port or server.port
        self.share = share or server.share
        self._has_key = not guest
        self.connection = Connection(uuid.uuid4(), self.host, self.port, require_signing=sign)
        try:
            self.connection.connect(DIALECTS.get(dialect), 20, ciphers, signers)
            self.session = Session(
                self.connection,
                server.user if user is None else user,
                server.password if password is None else password,
                require_encryption=encrypt,
            )
            self.session.connect()
            self.tree = self.connect_tree(self.share)
        except BaseException:
            self.connection.disconnect(close=False)
            raise
        # What smbclient's functions find instead of a connection of their own.
        self.known = {
            "port": self.port,
            "username": self.session.username,
            "connection_cache": {f"{self.host}:{self.port}": self.connection},
        }

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.connection.disconnect(close=kind is None)

    def connect_tree(self, share):
        """Another TREE_CONNECT of the session."""
        tree = TreeConnect(self.session, rf"\\{self.host}\{share}")
        tree.connect(require_secure_negotiate=self._has_key)
        return tree

    def second_session(self, user, password):
        """Another login on the same connection."""
        session = Session(self.connection, user, password, require_encryption=False)
        session.connect()
        return session

    def path(self, name=""):
        return rf"\\{self.host}\{self.share}\{name}"

    def call(self, function, name, *args, **kwargs):
        """A function of smbclient's on a name in the share."""
        return getattr(smbclient, function)(self.path(name), *args, **kwargs, **self.known)

    def open(
        self, name, *, access=_ALL_DATA, disposition=CreateDisposition.OPEN_IF, sharing=7,
        options=0, attributes=0, contexts=None,
    ):  # fmt: skip
        """One CREATE: smbprotocol's Open."""
        opened = Open(self.tree, name)
        opened.contexts = opened.create(
            _IMPERSONATION, access, attributes, sharing, disposition, options, contexts
        )
        return opened

    def put(self, name, data):
        with self.call("open_file", name, "wb", share_access="rwd", buffering=0) as file:
            rest = memoryview(data)
            while rest:
                rest = rest[file.write(rest[: 1 << 20]) :]

    def get(self, name):
        with self.call("open_file", name, "rb", share_access="rwd", buffering=0) as file:
            return file.readall()

    def listing(self, folder=""):
        return self.call("listdir", folder)

    def names(self, folder=""):
        return set(self.listing(folder))

    def remove(self, name):
        self.call("remove", name)
