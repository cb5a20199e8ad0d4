"""impacket's DCE/RPC client, with a pipe in memory where its transport would be."""

from impacket.dcerpc.v5.rpcrt import DCERPC_v5

from smbd.rpc import Pipe, ServerView, ShareView, open_pipe

NOON = 1_700_049_600.25  # 2023-11-15 12:00:00.25 UTC, a Wednesday


def server(**changes) -> ServerView:
    """A server with three shares, one of them hidden."""
    values = {
        "name": "BOX",
        "workgroup": "WORKGROUP",
        "comment": "a box",
        "version": (6, 1),
        "shares": (
            ShareView("Films", "Films for all", "C:\\Films", current_uses=2),
            ShareView("öffentlich", path="C:\\öffentlich"),
            ShareView("secret", "not listed", "C:\\secret", hidden=True),
        ),
        "now": NOON,
        "uptime": 3.5,
        "sessions": 4,
    }
    return ServerView(**{**values, **changes})


def srvsvc(**changes) -> Pipe:
    view = server(**changes)
    pipe = open_pipe("srvsvc", lambda: view)
    assert pipe is not None
    return pipe


class Transport:
    """What impacket's client asks of a transport, as its SMB one does it: WRITE, then READ."""

    def __init__(self, pipe: Pipe, read_size: int = 4280) -> None:
        self.pipe = pipe
        self.read_size = read_size
        self.writes: list[bytes] = []

    def send(self, data, **_force) -> None:
        self.writes.append(bytes(data))
        self.pipe.write(data)

    def recv(self, _force=0, count=0) -> bytes:
        data = self.pipe.read(count or self.read_size)
        assert data, "the client waits for an answer that nobody will write"
        while self.pipe.more:
            data += self.pipe.read(self.read_size)
        return data

    def doesSupportNTLMv2(self) -> bool:  # noqa: N802 -- impacket's name
        return True

    def get_credentials(self) -> tuple:
        return "anna", "secret", "", "", "", "", None, None


def connect(pipe: Pipe, uuid: bytes, **options) -> DCERPC_v5:
    """A client that has bound to an interface."""
    client = DCERPC_v5(Transport(pipe, **options))
    client.bind(uuid)
    return client
