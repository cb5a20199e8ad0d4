"""The device that a server is to WS-Discovery: a computer, and what it answers about itself."""

from collections import deque
from dataclasses import dataclass, field
from html import escape
from uuid import UUID, uuid4

from smbd.discovery.soap import (
    ADDRESSING,
    ANONYMOUS,
    BYE,
    DISCOVERY,
    EVERYBODY,
    GET,
    GET_RESPONSE,
    HELLO,
    PROBE,
    PROBE_MATCHES,
    PROFILE,
    PUBLICATION,
    RESOLVE,
    RESOLVE_MATCHES,
    Message,
    make,
    parse,
    types_of,
)

# Each message comes several times (SOAP-over-UDP, appendix I): one of these is answered once.
_REMEMBERED = 64

_TYPES = "wsdp:Device pub:Computer"
_WE_ARE = frozenset(((PROFILE, "Device"), (PUBLICATION, "Computer")))


@dataclass(slots=True)
class Device:
    """One server: its names, its identity, and the messages that it sends.

    `started` is a number that grows from start to start; `serial` says which version it is.
    """

    identity: UUID
    name: str
    workgroup: str
    started: int
    serial: str
    _sequence_id: UUID = field(default_factory=uuid4)
    _sent: int = 0
    _seen: deque[str] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))

    @property
    def path(self) -> str:
        """Where HTTP has its description."""
        return f"/{self.identity}"

    def hello(self, location: str) -> bytes:
        """Say to everybody that it is here; `location` is the URL of its description."""
        return self._multicast(HELLO, f"<wsd:Hello>{self._about(location)}</wsd:Hello>")

    def bye(self) -> bytes:
        """Say to everybody that it goes."""
        return self._multicast(BYE, f"<wsd:Bye>{self._endpoint()}</wsd:Bye>")

    def answer(self, datagram: bytes, location: str) -> bytes | None:
        """Answer a Probe or a Resolve; None for what needs no answer."""
        message = parse(datagram)
        if message is None or message.message_id in self._seen:
            return None
        matches = {PROBE: self._probed, RESOLVE: self._resolved}.get(message.action)
        if matches is None or not matches(message):
            return None
        self._seen.append(message.message_id)
        # To a Probe the location need not be said; where it is not, Windows asks again, for it.
        about = self._about(location)
        if message.action == PROBE:
            action, name = PROBE_MATCHES, "ProbeMatch"
        else:
            action, name = RESOLVE_MATCHES, "ResolveMatch"
        body = f"<wsd:{name}es><wsd:{name}>{about}</wsd:{name}></wsd:{name}es>"
        return make(
            action, ANONYMOUS, body, relates_to=message.message_id, sequence=self._sequence()
        )

    def describe(self, request: bytes) -> bytes | None:
        """Answer the Get that came by HTTP; None for anything else."""
        message = parse(request)
        if message is None or message.action != GET or message.to != self._urn:
            return None
        return make(GET_RESPONSE, ANONYMOUS, self._metadata(), relates_to=message.message_id)

    # --- what is asked for ---

    def _probed(self, message: Message) -> bool:
        probe = message.body.find(f"{{{DISCOVERY}}}Probe")
        if probe is None or (probe.findtext(f"{{{DISCOVERY}}}Scopes") or "").strip():
            return False  # it has no scope
        wanted = types_of(message, probe)
        return wanted is not None and wanted <= _WE_ARE

    def _resolved(self, message: Message) -> bool:
        path = f"{{{DISCOVERY}}}Resolve/{{{ADDRESSING}}}EndpointReference/{{{ADDRESSING}}}Address"
        return (message.body.findtext(path) or "").strip() == self._urn

    # --- what is said ---

    @property
    def _urn(self) -> str:
        return self.identity.urn

    def _endpoint(self) -> str:
        return (
            f"<wsa:EndpointReference><wsa:Address>{self._urn}</wsa:Address></wsa:EndpointReference>"
        )

    def _about(self, location: str) -> str:
        return (
            f"{self._endpoint()}<wsd:Types>{_TYPES}</wsd:Types>"
            f"<wsd:XAddrs>{escape(location)}</wsd:XAddrs>"
            "<wsd:MetadataVersion>1</wsd:MetadataVersion>"
        )

    def _multicast(self, action: str, body: str) -> bytes:
        return make(action, EVERYBODY, body, sequence=self._sequence())

    def _sequence(self) -> str:
        self._sent += 1
        return (
            f'<wsd:AppSequence InstanceId="{self.started}" SequenceId="{self._sequence_id.urn}" '
            f'MessageNumber="{self._sent}"/>'
        )

    def _metadata(self) -> str:
        """What it is: the three sections of the Devices Profile, and [MS-PBSD] 2.2's name."""
        name, computer = escape(self.name), escape(f"{self.name}/Workgroup:{self.workgroup}")
        device = (
            f"<wsdp:ThisDevice><wsdp:FriendlyName>{name}</wsdp:FriendlyName>"
            f"<wsdp:FirmwareVersion>{escape(self.serial)}</wsdp:FirmwareVersion>"
            "<wsdp:SerialNumber>1</wsdp:SerialNumber></wsdp:ThisDevice>"
        )
        model = (
            "<wsdp:ThisModel><wsdp:Manufacturer>smbd</wsdp:Manufacturer>"
            "<wsdp:ModelName>smbd</wsdp:ModelName>"
            "<pnpx:DeviceCategory>Computers</pnpx:DeviceCategory></wsdp:ThisModel>"
        )
        relationship = (
            f'<wsdp:Relationship Type="{PROFILE}/host"><wsdp:Host>{self._endpoint()}'
            f"<wsdp:Types>pub:Computer</wsdp:Types><wsdp:ServiceId>{self._urn}</wsdp:ServiceId>"
            f"<pub:Computer>{computer}</pub:Computer></wsdp:Host></wsdp:Relationship>"
        )
        sections = (("ThisDevice", device), ("ThisModel", model), ("Relationship", relationship))
        said = "".join(
            f'<wsx:MetadataSection Dialect="{PROFILE}/{dialect}">{text}</wsx:MetadataSection>'
            for dialect, text in sections
        )
        return f"<wsx:Metadata>{said}</wsx:Metadata>"
