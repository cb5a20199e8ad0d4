"""The ports of a server that comes and goes: nobody else gets them while it is away."""

import socket
from collections.abc import Iterable
from dataclasses import replace

from smbd.config import Address
from smbd.server import listening

_TRIES = 20


class Ports:
    """Sockets that are bound, but do not listen: a client that connects there is refused."""

    def __init__(self, wanted: Iterable[Address]) -> None:
        """OSError if a port is taken.  Port 0 is any, the same for all addresses that ask for it.

        A name that stands for several addresses (localhost) is replaced by them.
        """
        self.addresses: list[Address] = []
        self._sockets: list[socket.socket] = []
        self._tries = _TRIES
        spread = [one for address in wanted for one in _spread(address)]
        while not self._bind_all(spread):
            pass

    def _bind_all(self, wanted: Iterable[Address]) -> bool:
        """Bind them all, or none: the port that one has got may be somebody's at the next one."""
        free = 0
        for address in wanted:
            asked = address if address.port else replace(address, port=free)
            try:
                bound = listening.bind(asked)
            except OSError:
                self.release()
                self._tries -= 1
                if asked == address or not self._tries:
                    raise
                return False
            self._sockets += bound
            self.addresses.append(replace(address, port=bound[0].getsockname()[1]))
            if not address.port:
                free = self.addresses[-1].port
        return True

    def release(self) -> None:
        """Let others have them."""
        self.addresses.clear()
        while self._sockets:
            self._sockets.pop().close()


def _spread(address: Address) -> list[Address]:
    found = listening.resolve(address)
    if len(found) == 1:
        return [address]  # as it was written: of fe80::1%eth0 a name of numbers loses the end
    return [replace(address, host=name[0]) for _, _, _, name in found]
