"""One scripted client for all tests: it says whatever a test wants, and checks all that it hears.

framing      bytes <-> frames
frames       bodies of requests as Windows, macOS and Linux send them
offer        what a client says in NEGOTIATE
session      a session of the client, and how it logs in
peer         the client's half of one connection, in bytes: ids, signatures, seals, logins
caching      oplocks, leases and durable handles: create contexts, notifications of breaks
connection   a peer on a socket: replies by MessageId, notifications apart
verbs        what one mostly asks, in a word each
clients      several clients, each with several connections
"""

from tests.scripted.clients import Client, Clients, clients, connected
from tests.scripted.connection import Connection, HungUpError
from tests.scripted.offer import ALL_DIALECTS, PLAIN, WINDOWS, Offer, plain, windows_contexts
from tests.scripted.peer import MORE_PROCESSING, PENDING, SEALED, SUCCESS, Peer
from tests.scripted.session import Bare, Session

__all__ = [
    "ALL_DIALECTS",
    "MORE_PROCESSING",
    "PENDING",
    "PLAIN",
    "SEALED",
    "SUCCESS",
    "WINDOWS",
    "Bare",
    "Client",
    "Clients",
    "Connection",
    "HungUpError",
    "Offer",
    "Peer",
    "Session",
    "clients",
    "connected",
    "plain",
    "windows_contexts",
]
