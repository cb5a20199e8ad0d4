"""SPNEGO tokens ([RFC4178] 4.2, [MS-SPNG] 2.2.1) as much as an acceptor of one mechanism needs.

impacket's classes are not used for these: they do not see a mechListMIC that arrives, stop at
reqFlags, cannot say request-mic or negHints, and raise bare `Exception`. DER is read here with
every length checked against the enclosing element, so that hostile bytes give INVALID_PARAMETER.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from smbd.ntstatus import NtError, NtStatus

NTLMSSP = bytes.fromhex("2b06010401823702020a")  # 1.3.6.1.4.1.311.2.2.10

# negState, [RFC4178] 4.2.2
ACCEPT_COMPLETED = 0
ACCEPT_INCOMPLETE = 1
REQUEST_MIC = 3

_SPNEGO = bytes.fromhex("2b0601050502")  # 1.3.6.1.5.5.2
_HINT = b"not_defined_in_RFC4178@please_ignore"  # [MS-SPNG] 2.2.1, as Windows sends it

_OCTET_STRING = 0x04
_OID = 0x06
_ENUMERATED = 0x0A
_GENERAL_STRING = 0x1B
_SEQUENCE = 0x30
_APPLICATION_0 = 0x60
_MOST_ELEMENTS = 64  # of one sequence: a client has a handful of mechanisms
_CONTEXT = 0xA0  # constructed; [n] is _CONTEXT + n


@dataclass(slots=True)
class NegTokenInit:
    """[RFC4178] 4.2.1: the client's mechanisms, best first."""

    mechanisms: list[bytes]
    mechanism_list: bytes  # the DER of MechTypeList, which mechListMIC is computed over
    mech_token: bytes


@dataclass(slots=True)
class NegTokenResp:
    """[RFC4178] 4.2.2, of which a client's token has these two; b"" when absent."""

    response_token: bytes
    mech_list_mic: bytes


def parse_neg_token_init(token: bytes) -> NegTokenInit:
    """The client's first token: a GSS-API header ([RFC2743] 3.1) around a NegTokenInit."""
    fields = _fields(_only(_initial_context(token), _SEQUENCE))
    mechanism_list = fields.get(_CONTEXT, b"")
    mechanisms = [
        value for tag, value in _elements(_only(mechanism_list, _SEQUENCE)) if tag == _OID
    ]
    return NegTokenInit(mechanisms, mechanism_list, _octets(fields, 2))


def parse_neg_token_resp(token: bytes) -> NegTokenResp:
    """Any later token of the client."""
    fields = _fields(_only(_only(token, _CONTEXT + 1), _SEQUENCE))
    return NegTokenResp(_octets(fields, 2), _octets(fields, 3))


def pack_neg_token_init2() -> bytes:
    """NegTokenInit2 for the NEGOTIATE response: NTLMSSP and the hint ([MS-SPNG] 2.2.1)."""
    mechanisms = _tlv(_CONTEXT, _tlv(_SEQUENCE, _tlv(_OID, NTLMSSP)))
    hints = _tlv(_CONTEXT + 3, _tlv(_SEQUENCE, _tlv(_CONTEXT, _tlv(_GENERAL_STRING, _HINT))))
    inner = _tlv(_CONTEXT, _tlv(_SEQUENCE, mechanisms + hints))
    return _tlv(_APPLICATION_0, _tlv(_OID, _SPNEGO) + inner)


def pack_neg_token_resp(
    state: int,
    response_token: bytes = b"",
    mech_list_mic: bytes = b"",
    *,
    first: bool = False,
) -> bytes:
    """Our answer; the `first` one of an exchange also names the mechanism we chose."""
    body = _tlv(_CONTEXT, _tlv(_ENUMERATED, bytes([state])))
    if first:
        body += _tlv(_CONTEXT + 1, _tlv(_OID, NTLMSSP))
    if response_token:
        body += _tlv(_CONTEXT + 2, _tlv(_OCTET_STRING, response_token))
    if mech_list_mic:
        body += _tlv(_CONTEXT + 3, _tlv(_OCTET_STRING, mech_list_mic))
    return _tlv(_CONTEXT + 1, _tlv(_SEQUENCE, body))


def _initial_context(token: bytes) -> bytes:
    """The value under [0] of a GSS-API token of SPNEGO."""
    elements = _elements(_only(token, _APPLICATION_0))
    if next(elements, None) != (_OID, _SPNEGO):
        raise NtError(NtStatus.INVALID_PARAMETER)
    tag, value = next(elements, (None, b""))
    if tag != _CONTEXT:
        raise NtError(NtStatus.INVALID_PARAMETER)
    return value


def _octets(fields: dict[int, bytes], number: int) -> bytes:
    field = fields.get(_CONTEXT + number)
    return b"" if field is None else _only(field, _OCTET_STRING)


def _fields(sequence: bytes) -> dict[int, bytes]:
    """The elements of a SEQUENCE by tag. Unknown ones are extensions and stay unread."""
    return dict(_elements(sequence))


def _only(data: bytes, tag: int) -> bytes:
    """The value of the element that begins `data`, which must have this tag.

    Bytes behind it are ignored: a padded token is as good as one that is not.
    """
    found, value = next(_elements(data), (None, b""))
    if found != tag:
        raise NtError(NtStatus.INVALID_PARAMETER)
    return value


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(tag, value) of DER elements one after the other; lengths of up to four bytes."""
    at = count = 0
    while at < len(data):
        count += 1
        if at + 2 > len(data) or count > _MOST_ELEMENTS:
            raise NtError(NtStatus.INVALID_PARAMETER)
        tag, length = data[at], data[at + 1]
        at += 2
        if length >= 0x80:
            width = length & 0x7F
            if not 1 <= width <= 4 or at + width > len(data):
                raise NtError(NtStatus.INVALID_PARAMETER)
            length = int.from_bytes(data[at : at + width], "big")
            at += width
        if at + length > len(data):
            raise NtError(NtStatus.INVALID_PARAMETER)
        yield tag, data[at : at + length]
        at += length


def _tlv(tag: int, value: bytes) -> bytes:
    size = len(value)
    if size < 0x80:
        return bytes((tag, size)) + value
    width = (size.bit_length() + 7) // 8
    return bytes((tag, 0x80 | width)) + size.to_bytes(width, "big") + value
