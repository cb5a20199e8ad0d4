"""A login as the session sees it: security token in, security token out."""

import hmac
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from smbd.auth.acceptor import NtlmAcceptor, Policy
from smbd.auth.accounts import Account, Accounts, Identity
from smbd.auth.ntlm import SIGNATURE, TargetNames
from smbd.auth.spnego import (
    ACCEPT_COMPLETED,
    ACCEPT_INCOMPLETE,
    NTLMSSP,
    REQUEST_MIC,
    pack_neg_token_init2,
    pack_neg_token_resp,
    parse_neg_token_init,
    parse_neg_token_resp,
)
from smbd.ntstatus import NtError, NtStatus


@dataclass(frozen=True, slots=True)
class Step:
    """The answer to a token: with an identity SUCCESS, without MORE_PROCESSING_REQUIRED."""

    token: bytes = field(repr=False)
    identity: Identity | None = None


class Authenticator:
    """Logs clients in by NTLMv2, wrapped in SPNEGO or raw, against a fixed set of accounts.

    `guest` lets in anonymous clients and guests as well, and with `unknown_is_guest` whoever has a
    name that no account has: a guest, whatever the password. `clock` gives Unix seconds.
    """

    def __init__(
        self,
        accounts: Iterable[Account],
        *,
        server_name: str,
        domain: str = "WORKGROUP",
        guest: bool = False,
        unknown_is_guest: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        names = TargetNames(server_name.upper()[:15], domain.upper()[:15], server_name.lower())
        self._policy = Policy(Accounts(accounts), names, guest, unknown_is_guest, clock)
        self.negotiate_token = pack_neg_token_init2()

    def begin(self) -> "Exchange":
        """A new login; one for each SESSION_SETUP that begins one."""
        return Exchange(self._policy)


class Exchange:
    """One login. `step` with each token of the client until it gives an identity or raises."""

    __slots__ = ("_acceptor", "_mechanism_list", "_next")

    def __init__(self, policy: Policy) -> None:
        self._acceptor = NtlmAcceptor(policy)
        self._mechanism_list = b""
        self._next: Callable[[bytes], Step] = self._first

    @property
    def size(self) -> int:
        """Bytes of messages that it keeps for the ones to come."""
        return len(self._mechanism_list) + self._acceptor.size

    def step(self, token: bytes | bytearray | memoryview) -> Step:
        """Answer one token.

        Raises NtError alone: LOGON_FAILURE, INVALID_PARAMETER for a token that cannot be read or
        comes out of turn, ACCESS_DENIED for an anonymous client where guests are not allowed. The
        exchange is over then, and so it is after an identity.
        """
        advance, self._next = self._next, _over
        return advance(bytes(token))

    def _first(self, token: bytes) -> Step:
        """NEGOTIATE_MESSAGE itself, or SPNEGO's choice of a mechanism ([RFC4178] 3.2)."""
        if token.startswith(SIGNATURE):
            self._next = self._raw
            return Step(self._acceptor.challenge(token))
        init = parse_neg_token_init(token)
        if NTLMSSP not in init.mechanisms:
            raise NtError(NtStatus.LOGON_FAILURE)
        self._mechanism_list = init.mechanism_list
        self._next = self._wrapped
        if init.mechanisms[0] != NTLMSSP:
            # Its token is for a mechanism that it likes better, Kerberos mostly. An attacker in
            # between may have put it first: [RFC4178] 4.2.2 wants the list signed.
            return Step(pack_neg_token_resp(REQUEST_MIC, first=True))
        challenge = self._acceptor.challenge(init.mech_token) if init.mech_token else b""
        return Step(pack_neg_token_resp(ACCEPT_INCOMPLETE, challenge, first=True))

    def _raw(self, token: bytes) -> Step:
        return Step(b"", self._acceptor.authenticate(token))

    def _wrapped(self, token: bytes) -> Step:
        """NTLM's messages inside NegTokenResp ([RFC4178] 4.2.2)."""
        response = parse_neg_token_resp(token)
        if not self._acceptor.challenged:
            self._next = self._wrapped
            challenge = self._acceptor.challenge(response.response_token)
            return Step(pack_neg_token_resp(ACCEPT_INCOMPLETE, challenge))
        identity = self._acceptor.authenticate(response.response_token)
        mic = self._exchange_mics(response.mech_list_mic)
        return Step(pack_neg_token_resp(ACCEPT_COMPLETED, b"", mic), identity)

    def _exchange_mics(self, received: bytes) -> bytes:
        """Our mechListMIC for the client's ([RFC4178] 5); b"" when it sent none.

        A client may leave out one that was requested: it guards against a downgrade to a weaker
        mechanism, and this server has only the one.
        """
        if not received:
            return b""
        expected = self._acceptor.client_signature(self._mechanism_list)
        if expected is None:  # a guest with a password that we do not know
            return b""
        if not hmac.compare_digest(expected, received):
            raise NtError(NtStatus.LOGON_FAILURE)
        return self._acceptor.server_signature(self._mechanism_list) or b""


def _over(_token: bytes) -> Step:
    raise NtError(NtStatus.INVALID_PARAMETER)
