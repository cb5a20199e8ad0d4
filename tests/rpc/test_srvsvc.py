"""srvsvc as impacket's client sees it."""

import pytest
from impacket.dcerpc.v5 import srvs
from impacket.dcerpc.v5.dtypes import NULL
from impacket.dcerpc.v5.rpcrt import DCERPCException

from smbd.rpc import ShareView

from .client import NOON, connect, srvsvc

ACCESS_DENIED = 5
INVALID_PARAMETER = 87
INVALID_NAME = 123
INVALID_LEVEL = 124
MORE_DATA = 234
BUFFER_TOO_SMALL = 2123
NET_NAME_NOT_FOUND = 2310
DEVICE_NOT_SHARED = 2311
STYPE_IPC_SPECIAL = 0x80000003


def client(**changes):
    return connect(srvsvc(**changes), srvs.MSRPC_UUID_SRVS)


def error_of(call, *arguments, **options) -> int:
    with pytest.raises(DCERPCException) as caught:
        call(*arguments, **options)
    return caught.value.get_error_code()


def entries(response, level: int) -> list:
    return response["InfoStruct"]["ShareInfo"][f"Level{level}"]["Buffer"]


def text(value) -> str:
    return str(value).removesuffix("\0")


def names(response, level: int) -> list[str]:
    return [text(entry[f"shi{level}_netname"]) for entry in entries(response, level)]


def share_enum(connected, level: int, maximum: int = 0xFFFFFFFF, resume: int | None = None):
    """One NetrShareEnum, whatever it returns: impacket's own helper raises for MORE_DATA."""
    request = srvs.NetrShareEnum()
    request["ServerName"] = "\\\\box\0"
    request["PreferedMaximumLength"] = maximum
    request["ResumeHandle"] = NULL if resume is None else resume
    request["InfoStruct"]["ShareInfo"]["tag"] = level
    request["InfoStruct"]["Level"] = level
    request["InfoStruct"]["ShareInfo"][f"Level{level}"]["Buffer"] = NULL
    return connected.request(request, checkError=False)


async def test_the_shares_are_listed_with_ipc_and_without_hidden_ones():
    response = srvs.hNetrShareEnum(client(), 1)
    assert [
        (text(share["shi1_netname"]), share["shi1_type"], text(share["shi1_remark"]))
        for share in entries(response, 1)
    ] == [
        ("Films", 0, "Films for all"),
        ("öffentlich", 0, ""),
        ("IPC$", STYPE_IPC_SPECIAL, "IPC Service (a box)"),
    ]
    assert response["TotalEntries"] == 3


@pytest.mark.parametrize("level", [0, 1, 2, 501, 502, 503])
async def test_every_level_lists_the_same_shares(level):
    assert names(srvs.hNetrShareEnum(client(), level), level) == ["Films", "öffentlich", "IPC$"]


async def test_level_502_tells_path_uses_and_security_descriptor():
    films = ShareView("Films", path="C:\\Films", current_uses=2, security_descriptor=b"\1\0\4\x80")
    share = entries(srvs.hNetrShareEnum(client(shares=(films,)), 502), 502)[0]
    assert text(share["shi502_path"]) == "C:\\Films"
    assert share["shi502_current_uses"] == 2
    assert share["shi502_max_uses"] == 0xFFFFFFFF
    assert share["shi502_reserved"] == 4
    assert b"".join(share["shi502_security_descriptor"]) == b"\1\0\4\x80"


async def test_a_client_without_room_gets_the_rest_by_its_resume_handle():
    connected = client()
    room_for_one = 2 * len("Films\0") + 4
    first = share_enum(connected, 0, room_for_one, resume=0)
    assert first["ErrorCode"] == MORE_DATA
    assert names(first, 0) == ["Films"]
    assert (first["TotalEntries"], first["ResumeHandle"]) == (3, 1)
    rest = share_enum(connected, 0, resume=first["ResumeHandle"])
    assert rest["ErrorCode"] == 0
    assert names(rest, 0) == ["öffentlich", "IPC$"]
    assert (rest["TotalEntries"], rest["ResumeHandle"]) == (2, 0)


async def test_a_client_with_no_room_at_all_is_told_so():
    response = share_enum(client(), 1, maximum=4, resume=0)
    assert response["ErrorCode"] == BUFFER_TOO_SMALL
    assert response["TotalEntries"] == 3


async def test_a_client_with_room_enough_gets_all():
    films = ShareView("Films", security_descriptor=bytes(20))
    response = share_enum(client(shares=(films,)), 502, maximum=1000)
    assert response["ErrorCode"] == 0
    assert names(response, 502) == ["Films", "IPC$"]


async def test_a_resume_handle_beyond_the_end_gives_nothing():
    response = share_enum(client(), 1, resume=50)
    assert response["ErrorCode"] == 0
    assert response["TotalEntries"] == 0


async def test_sticky_shares_are_all_shares_but_have_no_level_501():
    connected = client()
    assert names(srvs.hNetrShareEnumSticky(connected, 1), 1) == ["Films", "öffentlich", "IPC$"]
    assert error_of(srvs.hNetrShareEnumSticky, connected, 501) == INVALID_LEVEL


@pytest.mark.parametrize(
    ("level", "field", "expected"),
    [
        (0, "shi0_netname", "secret\0"),
        (1, "shi1_remark", "not listed\0"),
        (2, "shi2_path", "C:\\secret\0"),
        (501, "shi501_flags", 0),
        (502, "shi502_reserved", 0),
        (503, "shi503_servername", "*\0"),
        (1004, "shi1004_remark", "not listed\0"),
        (1005, "shi1005_flags", 0),
        (1006, "shi1006_max_uses", 0xFFFFFFFF),
        (1501, "shi1501_reserved", 0),
    ],
)
async def test_a_hidden_share_is_told_to_a_caller_that_knows_its_name(level, field, expected):
    response = srvs.hNetrShareGetInfo(client(), "SECRET\0", level)
    assert response["InfoStruct"][f"ShareInfo{level}"][field] == expected


async def test_share_info_is_refused_for_unknown_shares_and_levels():
    connected = client()
    assert error_of(srvs.hNetrShareGetInfo, connected, "nothing\0", 1) == NET_NAME_NOT_FOUND
    assert error_of(srvs.hNetrShareGetInfo, connected, "Films\0", 77) == INVALID_LEVEL


async def test_guests_get_names_and_comments_and_nothing_else():
    connected = client(guest=True)
    assert names(srvs.hNetrShareEnum(connected, 1), 1) == ["Films", "öffentlich", "IPC$"]
    for level in (2, 501, 502, 503):
        assert error_of(srvs.hNetrShareEnum, connected, level) == ACCESS_DENIED
    assert error_of(srvs.hNetrShareGetInfo, connected, "Films\0", 2) == ACCESS_DENIED
    assert error_of(srvs.hNetrShareCheck, connected, "C:\\Films\0") == DEVICE_NOT_SHARED
    assert error_of(srvs.hNetrServerGetInfo, connected, 102) == ACCESS_DENIED
    assert error_of(srvs.hNetrServerDiskEnum, connected, 0) == ACCESS_DENIED


async def test_a_path_is_found_shared_or_not():
    connected = client()
    assert srvs.hNetrShareCheck(connected, "c:\\films\0")["Type"] == 0
    assert error_of(srvs.hNetrShareCheck, connected, "C:\\etc\0") == DEVICE_NOT_SHARED


async def test_the_server_names_itself():
    brief = srvs.hNetrServerGetInfo(client(guest=True), 100)["InfoStruct"]["ServerInfo100"]
    assert brief["sv100_name"] == "BOX\0"
    info = srvs.hNetrServerGetInfo(client(), 102)["InfoStruct"]["ServerInfo102"]
    assert info["sv102_platform_id"] == 500
    assert info["sv102_name"] == "BOX\0"
    assert (info["sv102_version_major"], info["sv102_version_minor"]) == (6, 1)
    assert info["sv102_comment"] == "a box\0"
    assert info["sv102_type"] & 0x2


@pytest.mark.parametrize(
    ("level", "error"), [(502, ACCESS_DENIED), (503, ACCESS_DENIED), (99, INVALID_LEVEL)]
)
async def test_server_information_that_nobody_gets(level, error):
    assert error_of(srvs.hNetrServerGetInfo, client(), level) == error


async def test_the_time_of_day_is_utc():
    tod = srvs.hNetrRemoteTOD(client())["BufferPtr"]
    assert tod["tod_elapsedt"] == int(NOON)
    assert tod["tod_msecs"] == 3500
    assert [tod[f"tod_{unit}"] for unit in ("hours", "mins", "secs", "hunds")] == [12, 0, 0, 25]
    assert [tod[f"tod_{unit}"] for unit in ("year", "month", "day")] == [2023, 11, 15]
    assert tod["tod_weekday"] == 3


async def test_the_told_paths_have_one_drive():
    connected = client()
    assert srvs.hNetrServerDiskEnum(connected, 0)["TotalEntries"] == 1
    assert error_of(srvs.hNetrServerDiskEnum, connected, 1) == INVALID_LEVEL
    assert srvs.hNetrServerDiskEnum(client(shares=()), 0)["TotalEntries"] == 0


@pytest.mark.parametrize(
    ("name", "kind", "flags", "error"),
    [
        ("films", 9, 0, 0),
        ("a/b", 9, 0, INVALID_NAME),
        ("", 9, 0, INVALID_NAME),
        ("n" * 4096, 9, 0, INVALID_NAME),
        ("films", 9, 0x80000000, INVALID_PARAMETER),
        ("films", 1, 0, INVALID_PARAMETER),
    ],
)
async def test_a_share_name_is_validated(name, kind, flags, error):
    request = srvs.NetprNameValidate()
    request["ServerName"] = NULL
    request["Name"] = name + "\0"
    request["NameType"] = kind
    request["Flags"] = flags
    assert client().request(request, checkError=False)["ErrorCode"] == error


@pytest.mark.parametrize(
    "call",
    [
        lambda c: srvs.hNetrSessionEnum(c, NULL, NULL, 10),
        lambda c: srvs.hNetrConnectionEnum(c, "IPC$\0", 1),
        lambda c: srvs.hNetrFileEnum(c, NULL, NULL, 3),
        lambda c: srvs.hNetrServerTransportEnum(c, 0),
        lambda c: srvs.hNetrSessionDel(c, NULL, "anna\0"),
        lambda c: srvs.hNetrFileClose(c, 1),
        lambda c: srvs.hNetrShareDel(c, "Films\0"),
        lambda c: srvs.hNetrShareDelSticky(c, "Films\0"),
    ],
)
async def test_administration_over_the_wire_is_denied(call):
    assert error_of(call, client()) == ACCESS_DENIED


async def test_a_share_cannot_be_added_or_changed():
    share = srvs.SHARE_INFO_2()
    share["shi2_netname"] = "new\0"
    share["shi2_remark"] = NULL
    share["shi2_path"] = "C:\\\0"
    share["shi2_passwd"] = NULL
    assert error_of(srvs.hNetrShareAdd, client(), 2, share) == ACCESS_DENIED
    remark = srvs.SHARE_INFO_1004()
    remark["shi1004_remark"] = "changed\0"
    assert error_of(srvs.hNetrShareSetInfo, client(), "Films\0", 1004, remark) == ACCESS_DENIED


async def test_an_enumeration_refuses_a_level_it_does_not_have():
    connected = client()
    no_names = bytes(12)
    connected.call(12, no_names + 2 * (3).to_bytes(4, "little"))  # NetrSessionEnum, level 3
    level_nothing_and_error = [3, 3, 0, 0, INVALID_LEVEL]
    assert connected.recv() == b"".join(n.to_bytes(4, "little") for n in level_nothing_and_error)


async def test_a_method_that_is_not_there_is_a_fault():
    connected = client()
    connected.call(99, b"")
    with pytest.raises(DCERPCException, match="nca_s_op_rng_error"):
        connected.recv()
    assert srvs.hNetrShareEnum(connected, 1)["TotalEntries"] == 3


async def test_a_stub_that_is_cut_short_is_a_fault():
    connected = client()
    connected.call(15, b"\0\0\0\0\1\0")
    with pytest.raises(DCERPCException, match="rpc_x_bad_stub_data"):
        connected.recv()


async def test_a_list_that_the_client_brings_along_is_a_fault():
    request = srvs.NetrShareEnum()
    request["ServerName"] = NULL
    request["InfoStruct"]["Level"] = 0
    request["InfoStruct"]["ShareInfo"]["tag"] = 0
    share = srvs.SHARE_INFO_0()
    share["shi0_netname"] = "mine\0"
    request["InfoStruct"]["ShareInfo"]["Level0"]["Buffer"].append(share)
    request["PreferedMaximumLength"] = 0
    with pytest.raises(DCERPCException, match="rpc_x_bad_stub_data"):
        client().request(request)
