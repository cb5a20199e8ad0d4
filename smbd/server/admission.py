"""Admission: limits on connections, on those of one address, and on unauthenticated ones."""

from dataclasses import dataclass, field

from smbd.config import Limits
from smbd.network import network_of
from smbd.tally import Tally


@dataclass(slots=True)
class Admission:
    """Counts connections.  One over a limit is closed at once: SMB2 has no words for it."""

    limits: Limits
    total: int = 0
    refused: int = 0
    unauthenticated: int = 0  # connections on which nobody has logged in yet
    by_network: Tally = field(default_factory=Tally)

    def admit(self, address: str) -> str:
        """Count a connection in; the reason if it may not come in, else ''."""
        network = network_of(address)
        refusal = self._refusal(network)
        if refusal:
            self.refused += 1
            return refusal
        self.total += 1
        self.unauthenticated += 1
        self.by_network[network] += 1
        return ""

    def _refusal(self, network: str) -> str:
        if self.total >= self.limits.connections:
            return "too many connections"
        if self.by_network[network] >= self.limits.connections_per_address:
            return "too many connections from this address"
        if self.unauthenticated >= self.limits.half_open_logins:
            return "too many connections without a login"
        return ""

    def leave(self, address: str, *, unauthenticated: bool) -> None:
        """Count a connection out."""
        self.total -= 1
        self.unauthenticated -= unauthenticated
        self.by_network.less(network_of(address))
