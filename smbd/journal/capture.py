"""A capture: all frames of a server's connections as a pcap file, and the keys that open them.

Wireshark takes the keys as its table `smb2_seskey_list`, one line a session: copied into its
profile, or by `tshark -o "uat:smb2_seskey_list:LINE"`.
"""

from collections.abc import Sequence
from pathlib import Path

from smbd.connection import Connection
from smbd.crypto import Keys
from smbd.journal.lines import Appender
from smbd.journal.pcap import FILE_HEADER, Stream
from smbd.observing import Observer
from smbd.protection import Buffer


class Capture(Observer):
    """Writes what it sees to FILE, and keys to FILE.keys, until it is closed.

    Sealed frames can be read of sessions that log in while it runs.
    """

    def __init__(self, path: Path, server: str) -> None:
        """`server` is the address that the server has in it; an existing file is replaced."""
        self.path, self.keys_path = path, path.with_name(f"{path.name}.keys")
        for file in (self.path, self.keys_path):
            file.unlink(missing_ok=True)
        self._packets = Appender(self.path, FILE_HEADER)
        self._keys = Appender(self.keys_path)
        self._server = server
        self._streams: dict[Connection, Stream] = {}

    def note_keys(self, session_id: int, session_key: bytes, keys: Keys) -> None:
        """The keys of a login (Service.note_keys)."""
        # Wireshark's columns: SessionId as it is on the wire, key, to the client, to the server.
        columns = session_id.to_bytes(8, "little"), session_key, keys.encryption, keys.decryption
        self._keys.put((",".join(column.hex() for column in columns) + "\n").encode())

    def close(self) -> None:
        """Write what waits.  Blocks for some seconds at most."""
        self._packets.close()
        self._keys.close()

    @property
    def dropped(self) -> int:
        """Frames that are missing: the disk was too slow."""
        return self._packets.dropped

    # --- as an Observer ---

    def received(self, connection: Connection, frame: memoryview) -> None:
        """From the client: its length goes in front again."""
        data = len(frame).to_bytes(4, "big") + bytes(frame)
        self._packets.put(self._stream(connection).sent(data, by_server=False))

    def sent(self, connection: Connection, buffers: Sequence[Buffer]) -> Sequence[Buffer]:
        """To the client."""
        data = b"".join(map(bytes, buffers))
        self._packets.put(self._stream(connection).sent(data, by_server=True))
        return buffers

    def lost(self, connection: Connection) -> None:
        """It has ended."""
        stream = self._streams.pop(connection, None)
        if stream is not None:
            self._packets.put(stream.closed())

    def _stream(self, connection: Connection) -> Stream:
        stream = self._streams.get(connection)
        if stream is None:
            host, _, port = connection.client.rpartition(":")
            address = host.strip("[]").partition("%")[0]
            stream = self._streams[connection] = Stream(address, int(port), self._server)
            self._packets.put(stream.opened())
        return stream
