"""SOAP messages of WS-Discovery 1.0 (April 2005) and of the Devices Profile (February 2006).

What comes in is anybody's on the network: a message is short, and has no document type, hence no
entities that grow.
"""

from dataclasses import dataclass
from html import escape
from typing import Any, cast
from uuid import uuid4
from xml.etree import ElementTree as ET

LONGEST = 32767  # bytes of a message, as SOAP-over-UDP has it for a datagram

_SOAP = "http://www.w3.org/2003/05/soap-envelope"
ADDRESSING = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
DISCOVERY = "http://schemas.xmlsoap.org/ws/2005/04/discovery"
PROFILE = "http://schemas.xmlsoap.org/ws/2006/02/devprof"
_TRANSFER = "http://schemas.xmlsoap.org/ws/2004/09/transfer"
PUBLICATION = "http://schemas.microsoft.com/windows/pub/2005/07"

HELLO, BYE = f"{DISCOVERY}/Hello", f"{DISCOVERY}/Bye"
PROBE, PROBE_MATCHES = f"{DISCOVERY}/Probe", f"{DISCOVERY}/ProbeMatches"
RESOLVE, RESOLVE_MATCHES = f"{DISCOVERY}/Resolve", f"{DISCOVERY}/ResolveMatches"
GET, GET_RESPONSE = f"{_TRANSFER}/Get", f"{_TRANSFER}/GetResponse"

EVERYBODY = "urn:schemas-xmlsoap-org:ws:2005:04:discovery"  # to the multicast group
ANONYMOUS = f"{ADDRESSING}/role/anonymous"  # back to whoever asked

# The prefixes of the messages that we make; `attributes` of the envelope.
_PREFIXES = {
    "soap": _SOAP,
    "wsa": ADDRESSING,
    "wsd": DISCOVERY,
    "wsx": "http://schemas.xmlsoap.org/ws/2004/09/mex",
    "wsdp": PROFILE,
    "pnpx": "http://schemas.microsoft.com/windows/pnpx/2005/10",
    "pub": PUBLICATION,
}
_NAMESPACES = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in _PREFIXES.items())


@dataclass(frozen=True, slots=True)
class Message:
    """A message that came in: what its sender wants, of whom, and its body."""

    action: str
    message_id: str
    to: str
    body: ET.Element
    prefixes: dict[str, str]  # in force where a Probe has its types, which are QNames


def parse(data: bytes) -> Message | None:
    """Read a message; None for what is none, or is longer than LONGEST."""
    if len(data) > LONGEST:
        return None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    if "<!" in text:  # no document type: its entities could grow; and no message has a comment
        return None
    try:
        envelope, prefixes = _read(text)
    except (ET.ParseError, ValueError):
        return None
    header, body = envelope.find(f"{{{_SOAP}}}Header"), envelope.find(f"{{{_SOAP}}}Body")
    if header is None or body is None:
        return None

    def said(name: str) -> str:
        return (header.findtext(f"{{{ADDRESSING}}}{name}") or "").strip()

    action, message_id = said("Action"), said("MessageID")
    if not action or not message_id:
        return None
    return Message(action, message_id, said("To"), body, prefixes)


def _read(text: str) -> tuple[ET.Element, dict[str, str]]:
    """The root, and the prefixes in force at the types of a Probe.  ParseError, ValueError.

    Of a string: the encoding that it claims to have does not count.
    """
    declared: list[tuple[str, str]] = []
    at_types: dict[str, str] = {}
    root: ET.Element | None = None
    parser: Any = ET.XMLPullParser(("start", "start-ns", "end-ns"))
    parser.feed(text)
    parser.close()
    for event, found in parser.read_events():
        if event == "start-ns":
            declared.append(cast("tuple[str, str]", found))
        elif event == "end-ns":
            declared.pop()
        else:
            element = cast("ET.Element", found)
            root = element if root is None else root
            if element.tag == f"{{{DISCOVERY}}}Types":
                at_types = dict(declared)
    if root is None:
        raise ValueError("nothing")
    return root, at_types


def types_of(message: Message, element: ET.Element) -> set[tuple[str, str]] | None:
    """The types that a Probe asks for, as (namespace, name); None for a prefix nobody declared."""
    found = set()
    for word in (element.findtext(f"{{{DISCOVERY}}}Types") or "").split():
        prefix, _, name = word.rpartition(":")
        uri = message.prefixes.get(prefix)
        if uri is None:
            return None
        found.add((uri, name))
    return found


def make(action: str, to: str, body: str, *, relates_to: str = "", sequence: str = "") -> bytes:
    """Write a message; `body` and `sequence` are XML, the others are text."""
    related = f"<wsa:RelatesTo>{escape(relates_to)}</wsa:RelatesTo>" if relates_to else ""
    return (
        f'<?xml version="1.0" encoding="utf-8"?><soap:Envelope {_NAMESPACES}><soap:Header>'
        f"<wsa:To>{escape(to)}</wsa:To><wsa:Action>{escape(action)}</wsa:Action>"
        f"<wsa:MessageID>urn:uuid:{uuid4()}</wsa:MessageID>{related}{sequence}"
        f"</soap:Header><soap:Body>{body}</soap:Body></soap:Envelope>"
    ).encode()
