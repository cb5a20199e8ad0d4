"""Clients of other people's making, driven in memory against an `Exchange`."""

import hmac
from struct import pack

import spnego
from impacket import ntlm
from impacket.spnego import SPNEGO_NegTokenInit, SPNEGO_NegTokenResp, TypesMech

from smbd.auth import Account, Authenticator, Exchange, Identity, Step, nt_hash

OEM = ntlm.NTLM_NEGOTIATE_OEM
NTLMSSP = TypesMech["NTLMSSP - Microsoft NTLM Security Support Provider"]
KERBEROS = TypesMech["MS KRB5 - Microsoft Kerberos 5"]


def authenticator(**options) -> Authenticator:
    """Knows anna (secret) and Émile (пароль)."""
    accounts = [Account("anna", nt_hash("secret")), Account("Émile", nt_hash("пароль"))]
    return Authenticator(accounts, server_name="box", **options)


class Pyspnego:
    """pyspnego: sends a MIC, and a mechListMIC when wrapped."""

    def __init__(self, user: str, password: str, *, wrapped: bool = True) -> None:
        wanted = spnego.NegotiateOptions.use_ntlm
        if wrapped:
            wanted |= spnego.NegotiateOptions.use_negotiate
        self.context = spnego.client(
            user,
            password,
            "box",
            service="cifs",
            protocol="negotiate" if wrapped else "ntlm",
            options=wanted,
        )

    @property
    def session_key(self) -> bytes:
        return self.context.session_key

    def login(self, exchange: Exchange) -> Identity:
        token = self.context.step()
        while True:
            step = exchange.step(token)
            if step.identity is not None:
                if step.token:
                    self.context.step(step.token)
                assert self.context.complete
                return step.identity
            token = self.context.step(step.token)


class Impacket:
    """impacket: no MIC, no mechListMIC; one message at a time, so that tests can change them."""

    def __init__(
        self,
        user: str = "anna",
        password: str = "secret",
        domain: str = "",
        *,
        key_exchange: bool = True,
        ntlmv2: bool = True,
    ) -> None:
        self.credentials = (user, password, domain)
        self.ntlmv2 = ntlmv2
        self.type1 = ntlm.getNTLMSSPType1(signingRequired=key_exchange, use_ntlmv2=ntlmv2)
        self.session_key = b""

    def negotiate(self) -> bytes:
        return self.type1.getData()

    def authenticate(self, challenge: bytes) -> ntlm.NTLMAuthChallengeResponse:
        type3, self.session_key = ntlm.getNTLMSSPType3(
            self.type1, challenge, *self.credentials, use_ntlmv2=self.ntlmv2
        )
        return type3

    def login(self, exchange: Exchange) -> Identity:
        challenge = exchange.step(self.negotiate())
        assert challenge.identity is None
        last = exchange.step(self.authenticate(challenge.token).getData())
        assert last.token == b""
        assert last.identity is not None
        return last.identity


class Oem:
    """A client that knows no Unicode: names in code page 850, and the proof over Unicode ones."""

    def __init__(self, user: str, password: str) -> None:
        self.user, self.password = user, password
        self.session_key = b""

    def negotiate(self) -> bytes:
        return pack("<8sII", b"NTLMSSP\0", 1, OEM | ntlm.NTLMSSP_REQUEST_TARGET)

    def authenticate(self, challenge: bytes) -> bytes:
        blob = b"\1\1" + bytes(6 + 8) + b"client's" + bytes(4) + bytes(4)
        key = hmac.digest(nt_hash(self.password), self.user.upper().encode("utf-16-le"), "md5")
        proof = hmac.digest(key, challenge[24:32] + blob, "md5")
        self.session_key = hmac.digest(key, proof, "md5")
        name, response = self.user.encode("cp850"), proof + blob
        places = (
            (0, 64),
            (len(response), 64 + len(name)),
            (0, 64),
            (len(name), 64),
            (0, 64),
            (0, 64),
        )
        fields = b"".join(pack("<HHI", length, length, at) for length, at in places)
        return pack("<8sI", b"NTLMSSP\0", 3) + fields + pack("<I", OEM) + name + response


def init_token(*mechanisms: bytes, token: bytes = b"") -> bytes:
    init = SPNEGO_NegTokenInit()
    init["MechTypes"] = list(mechanisms)
    if token:
        init["MechToken"] = token
    return init.getData()


def mechanism_list(*mechanisms: bytes) -> bytes:
    """MechTypeList in DER: what a mechListMIC covers. Short lists only."""
    body = b"".join(bytes([0x06, len(oid)]) + oid for oid in mechanisms)
    return bytes([0x30, len(body)]) + body


def resp_token(token: bytes, mic: bytes = b"") -> bytes:
    resp = SPNEGO_NegTokenResp()
    resp["ResponseToken"] = token
    if mic:
        resp["mechListMIC"] = mic
    return resp.getData()


def challenge_in(step: Step) -> bytes:
    """The CHALLENGE inside an SPNEGO answer."""
    return SPNEGO_NegTokenResp(step.token)["ResponseToken"]


def signature(flags: int, key: bytes, sender: str, message: bytes) -> bytes:
    """First NTLM signature of a context, by Cryptodome's RC4 and impacket."""
    cipher = ntlm.ARC4.new(ntlm.SEALKEY(flags, key, sender))
    return ntlm.MAC(flags, cipher.encrypt, ntlm.SIGNKEY(flags, key, sender), 0, message).getData()
