"""What a computer answers to WS-Discovery, message by message."""

from uuid import UUID
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smbd.discovery import Device
from smbd.discovery.soap import LONGEST, parse

HERE = "http://192.0.2.7:5357/x"
IDENTITY = UUID("11111111-2222-5333-8444-555555555555")
NAMES = {
    "soap": "http://www.w3.org/2003/05/soap-envelope",
    "wsa": "http://schemas.xmlsoap.org/ws/2004/08/addressing",
    "wsd": "http://schemas.xmlsoap.org/ws/2005/04/discovery",
    "pub": "http://schemas.microsoft.com/windows/pub/2005/07",
}
DISCOVERY = NAMES["wsd"]

# Windows 10's, but for its ids.
PROBE = """<?xml version="1.0" encoding="utf-8"?>
<soap:Envelope xmlns:soap="http://www.w3.org/2003/05/soap-envelope"
 xmlns:wsa="http://schemas.xmlsoap.org/ws/2004/08/addressing"
 xmlns:wsd="http://schemas.xmlsoap.org/ws/2005/04/discovery"
 xmlns:wsdp="http://schemas.xmlsoap.org/ws/2006/02/devprof"
 xmlns:p="http://schemas.microsoft.com/windows/pub/2005/07"><soap:Header>
<wsa:To>urn:schemas-xmlsoap-org:ws:2005:04:discovery</wsa:To>
<wsa:Action>http://schemas.xmlsoap.org/ws/2005/04/discovery/Probe</wsa:Action>
<wsa:MessageID>urn:uuid:{id}</wsa:MessageID></soap:Header>
<soap:Body><wsd:Probe>{types}{scopes}</wsd:Probe></soap:Body></soap:Envelope>"""


def probe(types="<wsd:Types>wsdp:Device</wsd:Types>", scopes="", *, number=1):
    return PROBE.format(id=number, types=types, scopes=scopes).encode()


def message(action, body, to="urn:x", number=1):
    return (
        f'<soap:Envelope xmlns:soap="{NAMES["soap"]}" xmlns:wsa="{NAMES["wsa"]}" '
        f'xmlns:wsd="{DISCOVERY}"><soap:Header><wsa:To>{to}</wsa:To>'
        f"<wsa:Action>{action}</wsa:Action><wsa:MessageID>urn:uuid:{number}</wsa:MessageID>"
        f"</soap:Header><soap:Body>{body}</soap:Body></soap:Envelope>"
    ).encode()


def resolve(identity=IDENTITY, number=1):
    endpoint = f"<wsa:Address>urn:uuid:{identity}</wsa:Address>"
    body = f"<wsa:EndpointReference>{endpoint}</wsa:EndpointReference>"
    return message(f"{DISCOVERY}/Resolve", f"<wsd:Resolve>{body}</wsd:Resolve>", number=number)


@pytest.fixture
def device():
    return Device(IDENTITY, "FILES", "A&B", started=7, serial="1.0")


def said(data, path):
    return ET.fromstring(data).findtext(path, namespaces=NAMES)


@pytest.mark.parametrize(
    "types",
    [
        "<wsd:Types>wsdp:Device</wsd:Types>",
        "<wsd:Types>  p:Computer wsdp:Device </wsd:Types>",
        "",  # of any type
        f'<x:Types xmlns:x="{DISCOVERY}" xmlns:wsdp="{NAMES["pub"]}">wsdp:Computer</x:Types>',
    ],
)
def test_a_probe_for_a_computer_is_answered_with_where_its_description_is(device, types):
    answer = device.answer(probe(types), HERE)
    match = ".//wsd:ProbeMatches/wsd:ProbeMatch/"
    assert said(answer, f"{match}wsd:XAddrs") == HERE
    assert said(answer, f"{match}wsa:EndpointReference/wsa:Address") == IDENTITY.urn
    assert said(answer, ".//wsa:RelatesTo") == "urn:uuid:1"
    assert said(answer, ".//wsa:Action") == f"{DISCOVERY}/ProbeMatches"


@pytest.mark.parametrize(
    ("types", "scopes"),
    [
        ("<wsd:Types>wsdp:Printer</wsd:Types>", ""),
        ("<wsd:Types>wsdp:Device p:Printer</wsd:Types>", ""),
        ("<wsd:Types>undeclared:Device</wsd:Types>", ""),
        ("<wsd:Types>Device</wsd:Types>", ""),
        (f'<wsd:Types xmlns:wsdp="{NAMES["pub"]}">wsdp:Device</wsd:Types>', ""),
        ("", "<wsd:Scopes>http://example.org/here</wsd:Scopes>"),
    ],
)
def test_a_probe_for_something_else_is_not_answered(device, types, scopes):
    assert device.answer(probe(types, scopes), HERE) is None


def test_the_same_message_is_answered_once_however_often_it_comes(device):
    assert device.answer(probe(number=1), HERE)
    assert device.answer(probe(number=1), HERE) is None
    assert device.answer(probe(number=2), HERE)


def test_only_its_own_identity_is_resolved(device):
    assert device.answer(resolve(UUID(int=1)), HERE) is None
    answer = device.answer(resolve(), HERE)
    assert said(answer, ".//wsd:ResolveMatches/wsd:ResolveMatch/wsd:XAddrs") == HERE


def test_hello_and_bye_are_in_one_sequence(device):
    hello, bye = ET.fromstring(device.hello(HERE)), ET.fromstring(device.bye())
    sequences = [one.find(".//wsd:AppSequence", NAMES).attrib for one in (hello, bye)]
    assert [one["MessageNumber"] for one in sequences] == ["1", "2"]
    assert {one["InstanceId"] for one in sequences} == {"7"}
    assert len({one["SequenceId"] for one in sequences}) == 1
    assert hello.findtext(".//wsd:Hello/wsd:XAddrs", namespaces=NAMES) == HERE


GET = "http://schemas.xmlsoap.org/ws/2004/09/transfer/Get"


def test_its_description_has_the_name_that_explorer_opens_and_its_workgroup(device):
    answer = device.describe(message(GET, "", to=IDENTITY.urn))
    assert said(answer, ".//pub:Computer") == "FILES/Workgroup:A&B"
    assert said(answer, ".//wsa:RelatesTo") == "urn:uuid:1"


def test_it_describes_nobody_else_and_nothing_else(device):
    assert device.describe(message(GET, "", to="urn:uuid:other")) is None
    assert device.describe(message(f"{DISCOVERY}/Probe", "", to=IDENTITY.urn)) is None
    assert device.describe(b"") is None


def test_entities_are_refused_before_they_grow(device):
    entities = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaa">]>' + probe()
    assert parse(entities) is None
    assert device.answer(entities, HERE) is None
    assert parse(probe("x" * LONGEST)) is None
    assert parse(probe().decode().encode("utf-16")) is None


@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode()))
def test_any_bytes_are_a_message_or_none(data):
    assert parse(data) is None


@given(st.integers(0, 900), st.binary(max_size=5))
def test_a_message_with_other_bytes_in_it_never_fails(at, other):
    whole = probe()
    Device(IDENTITY, "A", "B", 1, "1").answer(whole[:at] + other + whole[at + 3 :], HERE)
