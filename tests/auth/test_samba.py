"""Logins by Samba's own client code, through its `ntlm_auth` helper (package winbind)."""

import base64
import shutil
import subprocess
from typing import Self

import pytest

from smbd.auth import Authenticator
from smbd.ntstatus import NtError, NtStatus

from .peers import authenticator

NTLM_AUTH = shutil.which("ntlm_auth")
pytestmark = pytest.mark.skipif(NTLM_AUTH is None, reason="ntlm_auth (winbind) is not installed")


class NtlmAuth:
    """`ntlm_auth` as a client: lines of two letters and base64, see its manual page."""

    def __init__(self, user: str, password: str, *, wrapped: bool, sign: bool) -> None:
        protocol = "gss-spnego-client" if wrapped else "ntlmssp-client-1"
        self._process = subprocess.Popen(
            [
                str(NTLM_AUTH),
                f"--helper-protocol={protocol}",
                f"--username={user}",
                "--domain=HOME",
                f"--password={password}",
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._wrapped = wrapped
        if sign:
            assert self._ask("SF NTLMSSP_FEATURE_SIGN NTLMSSP_FEATURE_SEAL")[0] == "OK"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._process.communicate()

    def _ask(self, line: str) -> tuple[str, bytes]:
        self._process.stdin.write(line.encode() + b"\n")
        self._process.stdin.flush()
        word, _, data = self._process.stdout.readline().decode().strip().partition(" ")
        return word, base64.b64decode(data)

    def _step(self, token: bytes) -> bytes:
        return self._ask("TT " + base64.b64encode(token).decode())[1]

    def login(self, accepting: Authenticator):
        exchange = accepting.begin()
        offer = base64.b64encode(accepting.negotiate_token).decode() if self._wrapped else ""
        step = exchange.step(self._ask(f"YR {offer}".strip())[1])
        while step.identity is None:
            step = exchange.step(self._step(step.token))
        if step.token:
            self._step(step.token)
        return step.identity

    def session_key(self) -> bytes:
        return self._ask("GK")[1]


@pytest.mark.parametrize("wrapped", [False, True], ids=["raw", "spnego"])
@pytest.mark.parametrize("sign", [False, True], ids=["plain", "sign"])
def test_samba_logs_in_and_has_the_same_key(wrapped, sign):
    with NtlmAuth("Anna", "secret", wrapped=wrapped, sign=sign) as samba:
        identity = samba.login(authenticator())
        assert (identity.user, identity.domain) == ("anna", "HOME")
        assert identity.session_key == samba.session_key()


@pytest.mark.parametrize(("user", "password"), [("anna", "wrong"), ("nobody", "secret")])
def test_samba_with_a_wrong_password_or_user_is_refused(user, password):
    with NtlmAuth(user, password, wrapped=True, sign=True) as samba:
        with pytest.raises(NtError) as refused:
            samba.login(authenticator(guest=True))
        assert refused.value.status == NtStatus.LOGON_FAILURE


def test_samba_without_a_password_is_a_guest():
    with NtlmAuth("whoever", "", wrapped=True, sign=False) as samba:
        assert samba.login(authenticator(guest=True)).is_guest
