"""One client's association with one service: binding, calls, fragments ([C706] 12.6, 9.3.3).

PDU in, PDUs out.  A call is answered when its last fragment is there, so there is never more than
one in progress.  No authentication: on a named pipe SMB has done that, and sealed it if asked.
"""

from collections.abc import Callable
from itertools import count

from smbd.rpc.bind import (
    NDR,
    Bind,
    BindAck,
    ContextElement,
    ContextResult,
    RejectionReason,
    RejectReason,
    Result,
    Syntax,
    is_feature_negotiation,
    pack_bind_ack,
    pack_bind_nak,
    parse_bind,
)
from smbd.rpc.handles import HandleError, Handles
from smbd.rpc.interface import Interface
from smbd.rpc.ndr import Reader, StubError
from smbd.rpc.pdu import (
    Fault,
    Header,
    PacketFlags,
    PacketType,
    Request,
    pack_fault,
    pack_responses,
    parse_request,
)
from smbd.rpc.view import ServerView

# Bytes that Windows agrees on for named pipes, and the least that it agrees on (Samba, measured).
_LARGEST_FRAGMENT = 4280
_SMALLEST_FRAGMENT = 2048
# The longest request that a client of these services has a reason for is a share's name: torture
# tests send 8 KiB of it.
_LARGEST_STUB = 65536
_MOST_CONTEXTS = 32

_group_ids = count(1)


class Association:
    """The state that BIND sets up, and the call that is coming in."""

    def __init__(
        self, interface: Interface, secondary_address: str, look: Callable[[], ServerView]
    ) -> None:
        self._interface = interface
        self._secondary_address = secondary_address
        self._look = look
        self._contexts: set[int] = set()
        self._handles = Handles()
        self._group = 0
        self._max_frag = _SMALLEST_FRAGMENT
        self._call: Request | None = None
        self._call_id = 0
        self._stub = bytearray()
        self.broken = False  # the client left the protocol: hear no more of it

    def receive(self, header: Header, pdu: bytes) -> list[bytes]:
        """Take one PDU, give the PDUs of its answer.  PduError as `pdu` has it."""
        if not header.supported and header.packet_type == PacketType.BIND:
            return self._refuse_bind(header, RejectReason.PROTOCOL_VERSION_NOT_SUPPORTED)
        if not header.supported:
            return self._break(header, Fault.PROTO_ERROR)
        match header.packet_type:
            case PacketType.REQUEST:
                return self._request(header, pdu)
            case PacketType.BIND:
                return self._bind(header, pdu)
            case PacketType.ALTER_CONTEXT:
                return self._alter_context(header, pdu)
            case PacketType.CO_CANCEL:
                return []  # its call is answered already, or has yet to come
            case PacketType.ORPHANED:
                return self._orphaned(header)
        return self._break(header, Fault.PROTO_ERROR)

    def _bind(self, header: Header, pdu: bytes) -> list[bytes]:
        """BIND, once: a second one is no protocol that [C706] knows."""
        if header.auth_length:
            return self._refuse_bind(header, RejectReason.AUTHENTICATION_TYPE_NOT_RECOGNIZED)
        if self._group:
            return self._refuse_bind(header, RejectReason.NOT_SPECIFIED)
        bind = parse_bind(pdu)
        wished = min(bind.max_xmit_frag, bind.max_recv_frag)
        self._max_frag = max(_SMALLEST_FRAGMENT, min(wished, _LARGEST_FRAGMENT)) & ~7
        # Clients of named pipes use a handle where they got it, so that groups share nothing here,
        # and any number will do.
        self._group = bind.assoc_group_id or next(_group_ids)
        return [self._accept(PacketType.BIND_ACK, header, bind, self._secondary_address)]

    def _alter_context(self, header: Header, pdu: bytes) -> list[bytes]:
        if not self._group:
            return self._break(header, Fault.PROTO_ERROR)
        if header.auth_length:
            return self._break(header, Fault.ACCESS_DENIED)
        return [self._accept(PacketType.ALTER_CONTEXT_RESP, header, parse_bind(pdu), "")]

    def _accept(self, packet_type: int, header: Header, bind: Bind, address: str) -> bytes:
        results = [self._consider(element) for element in bind.contexts]
        ack = BindAck(self._max_frag, self._max_frag, self._group, address, results)
        return pack_bind_ack(packet_type, header.call_id, ack)

    def _consider(self, element: ContextElement) -> Result:
        """Accept one presentation context, or say why not.

        Windows sends three for one interface: with NDR, with NDR64, and with the features.  NDR64
        is rejected by its own result, so that the client stays with NDR.
        """
        if any(map(is_feature_negotiation, element.transfers)):
            return Result(ContextResult.NEGOTIATE_ACK, 0)  # none of the features
        if not self._offers(element.abstract):
            reason = RejectionReason.ABSTRACT_SYNTAX_NOT_SUPPORTED
        elif NDR not in element.transfers:
            reason = RejectionReason.PROPOSED_TRANSFER_SYNTAXES_NOT_SUPPORTED
        elif element.context_id not in self._contexts and len(self._contexts) >= _MOST_CONTEXTS:
            reason = RejectionReason.LOCAL_LIMIT_EXCEEDED
        else:
            self._contexts.add(element.context_id)
            return Result(ContextResult.ACCEPTANCE, 0, NDR)
        return Result(ContextResult.PROVIDER_REJECTION, reason)

    def _offers(self, abstract: Syntax) -> bool:
        """Same major version, and no younger minor one ([C706] 6.1.1)."""
        interface = self._interface
        return (
            abstract.uuid == interface.uuid.bytes_le
            and abstract.version & 0xFFFF == interface.major
            and abstract.version >> 16 <= interface.minor
        )

    def _request(self, header: Header, pdu: bytes) -> list[bytes]:
        if not self._group:
            return self._break(header, Fault.PROTO_ERROR)
        if header.auth_length:
            return self._break(header, Fault.ACCESS_DENIED)
        fragment = parse_request(header, pdu)
        first = bool(header.flags & PacketFlags.FIRST_FRAG)
        if first != (self._call is None) or (not first and header.call_id != self._call_id):
            return self._break(header, Fault.PROTO_ERROR)
        if self._call is None:
            self._call = fragment
            self._call_id = header.call_id
            self._stub.clear()
        if len(self._stub) + len(fragment.stub) > _LARGEST_STUB:
            return self._break(header, Fault.REMOTE_NO_MEMORY)
        self._stub += fragment.stub
        if not header.flags & PacketFlags.LAST_FRAG:
            return []
        call, self._call = self._call, None
        return self._answer(header.call_id, call, bytes(self._stub))

    def _answer(self, call_id: int, call: Request, stub: bytes) -> list[bytes]:
        if call.context_id not in self._contexts:
            return [pack_fault(call_id, call.context_id, Fault.UNK_IF)]
        method = self._interface.methods.get(call.opnum)
        if method is None:
            return [pack_fault(call_id, call.context_id, Fault.OP_RNG_ERROR)]
        try:
            answer = method(Reader(stub, self._handles), self._look())
        except StubError:
            return [pack_fault(call_id, call.context_id, Fault.BAD_STUB_DATA)]
        except HandleError:
            return [pack_fault(call_id, call.context_id, Fault.CONTEXT_MISMATCH)]
        return list(pack_responses(call_id, call.context_id, answer, self._max_frag))

    def _orphaned(self, header: Header) -> list[bytes]:
        """ORPHANED: the client gives up a call whose fragments it has not all sent."""
        if self._call is not None and header.call_id == self._call_id:
            self._call = None
        return []

    def _refuse_bind(self, header: Header, reason: int) -> list[bytes]:
        self.broken = True
        return [pack_bind_nak(header.call_id, reason)]

    def _break(self, header: Header, status: int) -> list[bytes]:
        self.broken = True
        return [pack_fault(header.call_id, 0, status)]
