"""NTLM messages as a server reads and writes them: [MS-NLMP] 2.2.1 and 2.2.2.

Read here and not by impacket: its Structure raises whatever the bytes make it raise, takes the
MIC to be there whenever a version is, and its AV_PAIRS copies the rest of the list at every
pair. From impacket comes, in `ntlmv2`, the arithmetic.
"""

from dataclasses import dataclass, field
from struct import Struct

from smbd.ntstatus import NtError, NtStatus

SIGNATURE = b"NTLMSSP\0"

# NegotiateFlags, [MS-NLMP] 2.2.2.5
UNICODE = 0x00000001
OEM = 0x00000002
_REQUEST_TARGET = 0x00000004
_SIGN = 0x00000010
_SEAL = 0x00000020
_NTLM = 0x00000200
_ALWAYS_SIGN = 0x00008000
_TARGET_TYPE_SERVER = 0x00020000
EXTENDED_SESSIONSECURITY = 0x00080000
_TARGET_INFO = 0x00800000
_VERSION_IS_SENT = 0x02000000
KEY_128 = 0x20000000
KEY_EXCH = 0x40000000
KEY_56 = 0x80000000

# The code page of OEM strings.  Nothing says which it is; Samba takes this one ("dos charset").
_CODE_PAGE = "cp850"

# Granted when asked for. Everything that Windows and Samba grant to a modern client (Samba's
# 0xe28a8235 is this and _ALWAYS); cifs.ko gives up without 128, and without SIGN when it signs.
_GRANTED = (
    KEY_56
    | KEY_EXCH
    | KEY_128
    | _VERSION_IS_SENT
    | EXTENDED_SESSIONSECURITY
    | _ALWAYS_SIGN
    | _SEAL
    | _SIGN
    | _REQUEST_TARGET
    | UNICODE
)
_ALWAYS = _TARGET_INFO | _TARGET_TYPE_SERVER | _NTLM

# AvId, [MS-NLMP] 2.2.2.1
_AV_EOL = 0
_AV_NB_COMPUTER = 1
_AV_NB_DOMAIN = 2
_AV_DNS_COMPUTER = 3
_AV_DNS_DOMAIN = 4
_AV_FLAGS = 6
_AV_TIMESTAMP = 7
_AV_FLAG_MIC = 0x00000002

# [MS-NLMP] 2.2.2.10, for debugging only: Windows 6.1, NTLM revision 15, as Samba says it.
_VERSION = bytes.fromhex("060100000000000f")

_NEGOTIATE = Struct(
    "<"
    "8s"  # Signature
    "I"   # MessageType, 1
    "I"   # NegotiateFlags; then the client's domain and workstation, which are not needed
)  # fmt: skip

_CHALLENGE = Struct(
    "<"
    "8s"   # Signature
    "I"    # MessageType, 2
    "HHI"  # TargetName: length, maximum length, offset
    "I"    # NegotiateFlags
    "8s"   # ServerChallenge
    "8x"   # Reserved
    "HHI"  # TargetInfo
    "8s"   # Version
)  # fmt: skip

_AUTHENTICATE = Struct(
    "<"
    "8s"     # Signature
    "I"      # MessageType, 3
    "H2xI"   # LmChallengeResponse: length, offset
    "H2xI"   # NtChallengeResponse
    "H2xI"   # DomainName
    "H2xI"   # UserName
    "8x"     # Workstation
    "H2xI"   # EncryptedRandomSessionKey
    "I"      # NegotiateFlags; then Version, then the MIC
)  # fmt: skip
_MIC_START, _MIC_END = 72, 88

_CLIENT_CHALLENGE = Struct(
    "<"
    "16s"  # NTProofStr
    "BB"   # RespType, HiRespType, both 1
    "6x"   # Reserved1, Reserved2
    "8x"   # TimeStamp
    "8x"   # ChallengeFromClient
    "4x"   # Reserved3; then the AV pairs
)  # fmt: skip
_AV_PAIR = Struct("<HH")  # AvId, AvLen
# In bytes.  Active Directory has user principal names of up to 1,024 characters.  A name is turned
# into upper case four times before its proof is known to be wrong.
_LONGEST_NAME = 2048
_MOST_AV_PAIRS = 64  # there are eleven kinds; empty ones alone would be 16,000 in a message


@dataclass(slots=True)
class Authenticate:
    """AUTHENTICATE_MESSAGE, [MS-NLMP] 2.2.1.3."""

    flags: int
    user: str
    domain: str
    lm_response: bytes = field(repr=False)
    nt_response: bytes = field(repr=False)
    encrypted_session_key: bytes = field(repr=False)


@dataclass(slots=True)
class Response:
    """NTLMv2_RESPONSE, [MS-NLMP] 2.2.2.8."""

    proof: bytes = field(repr=False)
    blob: bytes = field(repr=False)  # all that follows the proof, and that it proves
    has_mic: bool


def parse_negotiate(message: bytes) -> int:
    """NegotiateFlags of a NEGOTIATE_MESSAGE ([MS-NLMP] 2.2.1.1)."""
    _check(message, _NEGOTIATE, 1)
    flags = int(_NEGOTIATE.unpack_from(message)[2])
    if not flags & (UNICODE | OEM):
        raise NtError(NtStatus.INVALID_PARAMETER)
    return flags


def pack_challenge(
    asked: int, server_challenge: bytes, names: "TargetNames", timestamp: int
) -> bytes:
    """CHALLENGE_MESSAGE ([MS-NLMP] 2.2.1.2, 3.2.5.1.1). `timestamp` is a FILETIME.

    The timestamp asks the client for a MIC ([MS-NLMP] 3.1.5.1.2).  Strings are Unicode, and OEM
    for a client that has nothing else; TargetInfo is Unicode always ([MS-NLMP] 2.2.2.1).
    """
    flags = asked & _GRANTED | _ALWAYS
    if not flags & UNICODE:
        flags |= OEM
    target = _target(names.computer, flags) if flags & _REQUEST_TARGET else b""
    info = b"".join(
        _AV_PAIR.pack(av_id, len(value)) + value
        for av_id, value in (
            (_AV_NB_DOMAIN, _encode(names.domain)),
            (_AV_NB_COMPUTER, _encode(names.computer)),
            (_AV_DNS_DOMAIN, _encode(names.dns_domain)),
            (_AV_DNS_COMPUTER, _encode(names.dns_computer)),
            (_AV_TIMESTAMP, timestamp.to_bytes(8, "little")),
            (_AV_EOL, b""),
        )
    )
    at = _CHALLENGE.size
    fixed = _CHALLENGE.pack(
        SIGNATURE,
        2,
        *(len(target), len(target), at),
        flags,
        server_challenge,
        *(len(info), len(info), at + len(target)),
        _VERSION if flags & _VERSION_IS_SENT else bytes(8),
    )
    return fixed + target + info


@dataclass(frozen=True, slots=True)
class TargetNames:
    """The server's names in a CHALLENGE; impacket's client needs dns_computer."""

    computer: str  # NetBIOS names are upper case, of 15 characters at most
    domain: str
    dns_computer: str
    dns_domain: str = ""


def parse_authenticate(message: bytes, asked: int = UNICODE) -> Authenticate:
    """Parse an AUTHENTICATE_MESSAGE; every field lies within it or INVALID_PARAMETER.

    A name that is too long for any account is LOGON_FAILURE: one more guess that was wrong.
    Its own flags say how its names are written ([MS-NLMP] 2.2.1.3).  Where they do not, those of
    its NEGOTIATE_MESSAGE do, `asked`: node-smb2 sends no flags at all, and Samba takes it so.
    """
    _check(message, _AUTHENTICATE, 3)
    _, _, *places, flags = _AUTHENTICATE.unpack_from(message)
    lm_response, nt_response, domain, user, session_key = (
        _field(message, length, offset)
        for length, offset in zip(places[::2], places[1::2], strict=True)
    )
    if max(len(user), len(domain)) > _LONGEST_NAME:
        raise NtError(NtStatus.LOGON_FAILURE)
    written = flags if flags & (UNICODE | OEM) else asked
    return Authenticate(
        flags,
        _decode(user, written),
        _decode(domain, written),
        lm_response,
        nt_response,
        session_key,
    )


def parse_response(nt_response: bytes) -> Response:
    """NtChallengeResponse of NTLMv2. NTLMv1's 24 bytes, or none, are a failed login."""
    if len(nt_response) < _CLIENT_CHALLENGE.size:
        raise NtError(NtStatus.LOGON_FAILURE)
    proof, version, highest_version = _CLIENT_CHALLENGE.unpack_from(nt_response)
    if version != 1 or highest_version != 1:
        raise NtError(NtStatus.LOGON_FAILURE)
    pairs = _parse_av_pairs(nt_response, _CLIENT_CHALLENGE.size)
    av_flags = int.from_bytes(pairs.get(_AV_FLAGS, b""), "little")
    return Response(proof, nt_response[16:], bool(av_flags & _AV_FLAG_MIC))


def split_mic(message: bytes) -> tuple[bytes, bytes]:
    """The MIC of an AUTHENTICATE_MESSAGE and the message with zeros in its place."""
    if len(message) < _MIC_END:
        raise NtError(NtStatus.LOGON_FAILURE)
    mic = message[_MIC_START:_MIC_END]
    return mic, message[:_MIC_START] + bytes(16) + message[_MIC_END:]


def _parse_av_pairs(data: bytes, at: int) -> dict[int, bytes]:
    """AvId -> value, to the end mark ([MS-NLMP] 2.2.2.1) or the end of the data."""
    pairs: dict[int, bytes] = {}
    count = 0
    while at + _AV_PAIR.size <= len(data):
        av_id, length = _AV_PAIR.unpack_from(data, at)
        at += _AV_PAIR.size
        if av_id == _AV_EOL:
            break
        count += 1
        if count > _MOST_AV_PAIRS:
            raise NtError(NtStatus.LOGON_FAILURE)
        pairs[av_id] = _field(data, length, at)
        at += length
    return pairs


def _check(message: bytes, fixed: Struct, message_type: int) -> None:
    if (
        len(message) < fixed.size
        or not message.startswith(SIGNATURE)
        or message[8:12] != message_type.to_bytes(4, "little")
    ):
        raise NtError(NtStatus.INVALID_PARAMETER)


def _field(message: bytes, length: int, offset: int) -> bytes:
    if length and offset + length > len(message):
        raise NtError(NtStatus.INVALID_PARAMETER)
    return message[offset : offset + length] if length else b""


def _encode(name: str) -> bytes:
    return name.encode("utf-16-le", "surrogatepass")


def _target(name: str, flags: int) -> bytes:
    """TargetName, as both sides have agreed; a character that the code page lacks is "?"."""
    return _encode(name) if flags & UNICODE else name.encode(_CODE_PAGE, "replace")


def _decode(name: bytes, flags: int) -> str:
    if not flags & UNICODE:
        return name.decode(_CODE_PAGE)  # in which every byte is a character
    try:
        return name.decode("utf-16-le", "surrogatepass")
    except UnicodeDecodeError:  # half a character at the end
        raise NtError(NtStatus.INVALID_PARAMETER) from None
