"""Login by NTLMv2 in SPNEGO: token in, token out; and who may log in.

The only room that imports impacket. Knows nothing of sessions or connections.
"""

from smbd.auth.accounts import Account, Identity, nt_hash
from smbd.auth.authenticator import Authenticator, Exchange, Step
from smbd.auth.brake import FailureBrake

__all__ = [
    "Account",
    "Authenticator",
    "Exchange",
    "FailureBrake",
    "Identity",
    "Step",
    "nt_hash",
]
