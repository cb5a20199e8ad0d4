"""The guest's part of a meeting: it arrives, and waits until all others of its group have."""

import os
import socket
from typing import Self

AGAIN, OVER, GONE = "again\n", "over\n", "gone\n"  # what the meeting answers
PORT = 446  # at ADDRESS


class Arriving:
    """One member of a group, which has the same size and the same arrivals in every guest."""

    def __init__(self, group: str) -> None:
        self._socket = socket.create_connection((os.environ["SMB_HOST"], PORT))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._lines = self._socket.makefile("rw")
        self._lines.write(f"{group}\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._lines.close()
        self._socket.close()

    def go_on(self) -> bool:
        """Wait for the others; tell whether there is time for another turn."""
        self._lines.write("here\n")
        self._lines.flush()
        answer = self._lines.readline()
        if answer not in {AGAIN, OVER}:
            raise ConnectionError("the other guest has left")
        return answer == AGAIN
