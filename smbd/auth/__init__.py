"""Login by NTLMv2 in SPNEGO: token in, token out; and the accounts.

The only room of the server that imports impacket. Knows nothing of sessions or connections.
"""

from smbd.auth.accounts import Account, Identity, nt_hash
from smbd.auth.authenticator import Authenticator, Exchange, Step
from smbd.auth.throttle import LoginThrottle

__all__ = [
    "Account",
    "Authenticator",
    "Exchange",
    "Identity",
    "LoginThrottle",
    "Step",
    "nt_hash",
]
