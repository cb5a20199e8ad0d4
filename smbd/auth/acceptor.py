"""The server's side of one NTLM exchange: [MS-NLMP] 3.2.5.1. NTLMv2, guests and anonymous only.

The bindings of a response are not checked. MsvAvChannelBindings is the hash of a TLS channel,
and is compared by a server that has one (3.2.5.1.2). MsvAvTargetName is the name by which the
client knows the server; Windows checks it if told to (SmbServerNameHardeningLevel, off by
default), and it would keep out every client that comes by another name, through a tunnel or an
address translation. Both are meant to stop relayed logins. A relay gains nothing here as long as
signing is required or the share is sealed: it does not have the key. Nor does it gain anything by
relaying the login into a session of its own: see session_setup's `_renew`.
"""

import hmac
import os
from collections.abc import Callable
from dataclasses import dataclass, field

from smbd.auth.accounts import Account, Accounts, Identity, nt_hash
from smbd.auth.ntlm import (
    EXTENDED_SESSIONSECURITY,
    KEY_EXCH,
    Authenticate,
    Response,
    TargetNames,
    pack_challenge,
    parse_authenticate,
    parse_negotiate,
    parse_response,
    split_mic,
)
from smbd.auth.ntlmv2 import (
    Sender,
    check_response,
    exported_session_key,
    message_integrity_code,
    message_signature,
)
from smbd.ntstatus import NtError, NtStatus

_FILETIME_OF_1970 = 116444736000000000
_NTLMV1_LENGTH = 24  # of NTLM_RESPONSE, [MS-NLMP] 2.2.2.6
_GUEST = Account("guest", nt_hash(""))


@dataclass(frozen=True, slots=True)
class Policy:
    """The settings that all exchanges of a server share."""

    accounts: Accounts
    names: TargetNames
    guest: bool
    unknown_is_guest: bool
    clock: Callable[[], float]
    nobody: Account = field(
        default_factory=lambda: Account("", os.urandom(16)), repr=False
    )  # stands in for an unknown user, so that one costs what a wrong password costs


class NtlmAcceptor:
    """NEGOTIATE in, CHALLENGE out; AUTHENTICATE in, identity out. Raises NtError."""

    __slots__ = (
        "_asked",
        "_challenge",
        "_flags",
        "_key",
        "_negotiate",
        "_policy",
        "_server_challenge",
    )

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._negotiate = self._challenge = self._server_challenge = b""
        self._key: bytes | None = None
        self._asked = self._flags = 0

    @property
    def size(self) -> int:
        """Bytes of the messages that the MIC of the last one covers."""
        return len(self._negotiate) + len(self._challenge)

    @property
    def challenged(self) -> bool:
        """Whether the next message is the AUTHENTICATE."""
        return bool(self._challenge)

    def challenge(self, negotiate: bytes) -> bytes:
        """CHALLENGE_MESSAGE for the client's NEGOTIATE_MESSAGE."""
        self._asked = parse_negotiate(negotiate)
        self._negotiate = negotiate
        self._server_challenge = os.urandom(8)
        self._challenge = pack_challenge(
            self._asked, self._server_challenge, self._policy.names, self._now()
        )
        return self._challenge

    def authenticate(self, message: bytes) -> Identity:
        """The identity that the AUTHENTICATE_MESSAGE proves."""
        request = parse_authenticate(message, self._asked)
        self._flags = request.flags
        if not request.user and not request.nt_response and len(request.lm_response) <= 1:
            return self._anonymous(request)
        if not self._has_key(request):
            raise NtError(NtStatus.INVALID_PARAMETER)
        if len(request.nt_response) == _NTLMV1_LENGTH and self._is_called_guest(request):
            return self._guest(request)
        response = parse_response(request.nt_response)
        account, session_base_key = self._identify(request, response)
        if session_base_key is not None:
            self._key = self._exported(request, session_base_key)
            self._check_mic(message, response, self._key)
        if account is not None and self._key is not None:
            return Identity(account.name, request.domain, self._key)
        return self._guest(request)

    def client_signature(self, message: bytes) -> bytes | None:
        """The signature of `message` that the client must send; None without a key for it."""
        return self._signature("Client", message)

    def server_signature(self, message: bytes) -> bytes | None:
        """Our signature of `message`."""
        return self._signature("Server", message)

    def _anonymous(self, request: Authenticate) -> Identity:
        """No name and no response ([MS-NLMP] 3.2.5.1.2): the key that all know is zero.

        Where guests are not allowed it is ACCESS_DENIED and not LOGON_FAILURE: no password was
        guessed at, and a client that is told so asks its user for a name.
        """
        if not self._policy.guest:
            raise NtError(NtStatus.ACCESS_DENIED)
        if self._has_key(request):
            self._key = self._exported(request, bytes(16))
        return Identity("", request.domain, b"", is_anonymous=True)

    def _identify(
        self, request: Authenticate, response: Response
    ) -> tuple[Account | None, bytes | None]:
        """The account, None for a guest, and the SessionBaseKey, None for a guest that has none.

        Where guests are allowed, a client that proves the empty password is a guest under any name:
        without a password a client still sends the name of its local user. The empty password is
        tried for known names as well, so that a guest login tells nobody which names are known; but
        not where a name that nobody has may come with any password: there a login tells it anyway.
        A client that is called "guest" may have any password, but then the server has no key.
        """
        account = self._policy.accounts.find(request.user)
        key = self._check(account or self._policy.nobody, request, response)
        may_be_guest = self._policy.guest and not (account and self._policy.unknown_is_guest)
        guest_key = self._check(_GUEST, request, response) if may_be_guest else None
        if account is not None and key is not None:
            return account, key
        if guest_key is None and not self._is_called_guest(request):
            raise NtError(NtStatus.LOGON_FAILURE)
        return None, guest_key

    def _is_called_guest(self, request: Authenticate) -> bool:
        """Whether the name alone makes a guest: "guest", or any that nobody has, as configured.

        Then the response may be wrong, and of NTLMv1.

        Most of node's clients speak NTLMv1 and nothing else.  A guest's response proves nothing
        and gives no key, so it does no harm; for any account it is a failed login.
        """
        if not self._policy.guest or self._policy.accounts.find(request.user) is not None:
            return False
        return self._policy.unknown_is_guest or request.user.casefold() == _GUEST.name

    def _guest(self, request: Authenticate) -> Identity:
        return Identity(_GUEST.name, request.domain, b"", is_guest=True)

    def _check(self, account: Account, request: Authenticate, response: Response) -> bytes | None:
        return check_response(account.nt_hash, request, response, self._server_challenge)

    def _has_key(self, request: Authenticate) -> bool:
        """Whether the client sent the key that it promised by KEY_EXCH, if it did promise one."""
        return not self._flags & KEY_EXCH or len(request.encrypted_session_key) == 16

    def _exported(self, request: Authenticate, session_base_key: bytes) -> bytes:
        """ExportedSessionKey; in NTLMv2 the key exchange key is the session base key."""
        if not self._flags & KEY_EXCH:
            return session_base_key
        return exported_session_key(session_base_key, request.encrypted_session_key)

    def _check_mic(self, message: bytes, response: Response, key: bytes) -> None:
        """The proof covers the flag that says there is a MIC.

        The response's time is not looked at, although [MS-NLMP] 3.1.1.1 has a MaxLifetime: it
        answers a challenge that is seconds old and is never given again, and clients without a
        clock (and pysmb) send 0.
        """
        if not response.has_mic:
            return
        mic, without = split_mic(message)
        expected = message_integrity_code(key, self._negotiate, self._challenge, without)
        if not hmac.compare_digest(mic, expected):
            raise NtError(NtStatus.LOGON_FAILURE)

    def _signature(self, sender: Sender, message: bytes) -> bytes | None:
        if self._key is None or not self._flags & EXTENDED_SESSIONSECURITY:
            return None
        return message_signature(self._flags, self._key, sender, message)

    def _now(self) -> int:
        return int(self._policy.clock() * 10_000_000) + _FILETIME_OF_1970
