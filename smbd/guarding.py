"""The keys by which C signs, seals and opens the messages of a session in Python's place.

[MS-SMB2] 3.3.5.2.4 and 3.3.4.1.1: signatures by AES-GMAC; 3.3.4.1.4: seals by AES-GCM.  By other
algorithms Python does it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from smbd.crypto import Sealer, Signer
from smbd.native import Core
from smbd.request import Request
from smbd.session import Channel, Tree
from smbd.wire.header import Flags

_MAY_BARE, _MAY_SIGN, _MAY_SEAL = 4, 8, 16  # burst.c


@dataclass(frozen=True, slots=True)
class Guard:
    """Those of one session on one connection."""

    signer: Signer | None  # in whose place ...
    sealer: Sealer | None
    keys: Any  # ... C's `struct guard *`


def is_known(request: Request) -> bool:
    """Whether C knows the algorithm that protects a request, if one does."""
    channel, is_signed = request.channel, request.flags & Flags.SIGNED
    if channel is None:
        return False
    if request.sealed:
        sealer = channel.session.sealer
        return not is_signed and sealer is not None and sealer.gcm_keys is not None
    return not is_signed or (channel.signer is not None and channel.signer.gmac_key is not None)


def guard_for(request: Request, others: Iterable[Guard | None], core: Core) -> Guard | None:
    """The guard of a request's session, maybe one of `others`; None where there is no OpenSSL."""
    channel = request.channel
    if channel is None or not core.protects:
        return None
    signer, sealer = channel.signer, channel.session.sealer
    for other in others:
        if other is not None and other.signer is signer and other.sealer is sealer:
            return other
    signing = None if signer is None else signer.gmac_key
    sealing = None if sealer is None else sealer.gcm_keys
    try:
        return Guard(signer, sealer, core.guard(signing, sealing))
    except OSError:  # a FIPS module, say, has no such key
        return None


def ways(guard: Guard | None, channel: Channel, tree: Tree) -> int:
    """How a message may be protected, as protection.check_signature and checking.check_tree."""
    session, found = channel.session, 0
    if not (session.encrypt or tree.encrypt):
        if not session.signing_required:
            found |= _MAY_BARE
        if guard is not None and guard.keys.mac and guard.signer is channel.signer:
            found |= _MAY_SIGN
    if guard is not None and guard.keys.sealing and guard.sealer is session.sealer:
        found |= _MAY_SEAL
    return found
