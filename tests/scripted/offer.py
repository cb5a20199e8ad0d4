"""What a client says in NEGOTIATE ([MS-SMB2] 2.2.3), and how it goes on."""

from dataclasses import dataclass

from tests.core import messages
from tests.scripted import frames

ALL_DIALECTS = (0x0202, 0x0210, 0x0300, 0x0302, 0x0311)
# What Windows 11 24H2 offers, in its order.
CIPHERS = (2, 1, 4, 3)
SIGNERS = (2, 1, 0)
EVERY_CAPABILITY = 0x7F


def windows_contexts(ciphers=CIPHERS, signers=SIGNERS):
    return (
        frames.preauth_context(),
        (frames.ENCRYPTION, frames.counted(*ciphers)),
        frames.compression_context(5, 3, 2, 1, 4),
        (frames.SIGNING, frames.counted(*signers)),
        frames.netname_context("box"),
        frames.rdma_context(1, 2),
    )


@dataclass(frozen=True)
class Offer:
    dialects: tuple
    contexts: tuple = ()
    capabilities: int = 0
    guid: bytes = b"scripted client!"  # ClientGuid
    security_mode: int = 1
    credits: int = 1  # CreditRequest of each request that does not say it
    wrapped: bool = False  # NTLM in SPNEGO by pyspnego, or alone by impacket

    def body(self):
        return messages.negotiate(
            self.dialects,
            self.contexts,
            capabilities=self.capabilities,
            guid=self.guid,
            security_mode=self.security_mode,
        )


def plain(dialect):
    """One dialect and no more than it needs: no cipher, no SPNEGO."""
    return Offer((dialect,), (frames.preauth_context(),) if dialect == 0x0311 else ())


PLAIN = plain(0x0302)
WINDOWS = Offer(ALL_DIALECTS, windows_contexts(), EVERY_CAPABILITY, credits=64, wrapped=True)
