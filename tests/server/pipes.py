"""Remote procedure calls as Windows makes them: a pipe on IPC$, opened, bound, asked, closed."""

from impacket.dcerpc.v5 import rpcrt
from impacket.uuid import uuidtup_to_bin

from tests.core import messages
from tests.core.messages import CLOSE, CREATE, IOCTL, QUERY_INFO, READ, WRITE
from tests.scripted import frames
from tests.scripted.frames import FILE

NDR = ("8a885d04-1ceb-11c9-9fe8-08002b104860", "2.0")


def bind(interface):
    """Bind as Windows does: NDR, and the negotiation of features at bind time."""
    offer = rpcrt.MSRPCBind()
    for number, syntax in enumerate((NDR, ("6cb71c2c-9812-4540-0300-000000000000", "1.0"))):
        item = rpcrt.CtxItem()
        item["AbstractSyntax"] = interface
        item["TransferSyntax"] = uuidtup_to_bin(syntax)
        item["ContextID"] = number
        item["TransItems"] = 1
        offer.addCtxItem(item)
    packet = rpcrt.MSRPCHeader()
    packet["type"] = rpcrt.MSRPC_BIND
    packet["call_id"] = 2
    packet["pduData"] = offer.getData()
    return packet.get_packet()


def call(request):
    packet = rpcrt.MSRPCRequestHeader()
    packet["op_num"] = request.opnum
    packet["call_id"] = 3
    packet["pduData"] = request.getData()
    return packet.get_packet()


async def ask_pipe(client, pipe, interface, request):
    """CREATE, QUERY_INFO, WRITE and READ the bind, PIPE_TRANSCEIVE the call, CLOSE."""
    opened = await client.ask(CREATE, frames.create(pipe, access=0x0012019F))
    assert opened.status == 0
    file_id = opened.file_id
    body = frames.query(FILE, frames.STANDARD, file_id, most=24)
    assert (await client.ask(QUERY_INFO, body)).status == 0
    assert (await client.ask(WRITE, messages.write(file_id, bind(interface)))).status == 0
    bound = await client.ask(READ, messages.read(file_id, length=1024))
    assert bound.data[2] == rpcrt.MSRPC_BINDACK
    body = frames.ioctl(frames.PIPE_TRANSCEIVE, file_id, call(request), most=1 << 14)
    answer = await client.ask(IOCTL, body)
    assert answer.status == 0
    assert (await client.ask(CLOSE, messages.close(file_id))).status == 0
    return answer.ioctl_output[24:]
