"""lsarpc as impacket's client sees it."""

import pytest
from impacket.dcerpc.v5 import lsad, lsat
from impacket.dcerpc.v5.dtypes import NULL
from impacket.dcerpc.v5.rpcrt import DCERPCException

from smbd.rpc import open_pipe
from smbd.vfs.acl import account_sid
from smbd.vfs.acl.sids import ACCOUNT_DOMAIN

from .client import connect, server

SOME_NOT_MAPPED = 0x00000107
NONE_MAPPED = 0xC0000073
ACCESS_DENIED = 0xC0000022
INVALID_PARAMETER = 0xC000000D
INSUFFICIENT_RESOURCES = 0xC000009A
USER, DOMAIN, ALIAS, WELL_KNOWN, UNKNOWN = 1, 3, 4, 5, 8

ANN = account_sid("ann")
ACCOUNTS = {ANN: "Ann", account_sid("böb"): "böb"}
UNIX_NAMES = {"S-1-22-1-1000": "daemon"}


def client(**changes):
    known = {"accounts": ACCOUNTS, "unix_names": UNIX_NAMES, "user": "Ann"}
    pipe = open_pipe("lsarpc", lambda: server(**{**known, **changes}))
    assert pipe is not None
    return connect(pipe, lsat.MSRPC_UUID_LSAT)


def opened(**changes):
    """A client and its policy handle."""
    connected = client(**changes)
    return connected, lsad.hLsarOpenPolicy2(connected)["PolicyHandle"]


def error_of(call, *arguments, **options) -> int:
    with pytest.raises(DCERPCException) as caught:
        call(*arguments, **options)
    return caught.value.get_error_code()


def names_of(response):
    """(use, domain, name) of each."""
    # impacket has b"" for the text behind a NULL pointer.
    domains = [one["Name"] or "" for one in response["ReferencedDomains"]["Domains"]]
    return [
        (one["Use"], "" if one["DomainIndex"] < 0 else domains[one["DomainIndex"]], one["Name"])
        for one in response["TranslatedNames"]["Names"]
    ]


def sids_of(response):
    """(use, SID) of each, put together from its domain and number."""
    domains = [
        one["Sid"].formatCanonical() for one in response["ReferencedDomains"]["Domains"] or ()
    ]
    return [
        (one["Use"], f"{domains[one['DomainIndex']]}-{one['RelativeId']}")
        for one in response["TranslatedSids"]["Sids"]
    ]


def ask(connected, request, **parts):
    for part, value in parts.items():
        request[part] = value
    return connected.request(request, checkError=False)


@pytest.mark.parametrize("lookup", [lsat.hLsarLookupSids, lsat.hLsarLookupSids2])
async def test_a_sid_has_a_name_and_a_domain(lookup):
    connected, policy = opened()
    found = lookup(
        connected,
        policy,
        [ANN, account_sid("böb"), "S-1-1-0", "S-1-5-18", "S-1-5-32-545", ACCOUNT_DOMAIN],
    )
    assert names_of(found) == [
        (USER, "BOX", "Ann"),
        (USER, "BOX", "böb"),
        (WELL_KNOWN, "", "Everyone"),
        (WELL_KNOWN, "NT AUTHORITY", "SYSTEM"),
        (ALIAS, "BUILTIN", "Users"),
        (DOMAIN, "BOX", "BOX"),
    ]
    assert found["MappedCount"] == 6


async def test_users_and_groups_of_unix_have_a_number_at_least():
    connected, policy = opened()
    found = lsat.hLsarLookupSids2(
        connected, policy, ["S-1-22-1-1000", "S-1-22-1-77", "S-1-22-2-88"]
    )
    assert names_of(found) == [
        (1, "Unix User", "daemon"),
        (1, "Unix User", "77"),
        (2, "Unix Group", "88"),
    ]
    back = lsat.hLsarLookupNames2(
        connected, policy, ["Unix User\\DAEMON", "unix user\\77", "Unix Group\\88"]
    )
    assert sids_of(back) == [(1, "S-1-22-1-1000"), (1, "S-1-22-1-77"), (2, "S-1-22-2-88")]


async def test_what_nobody_knows_is_called_by_its_sid():
    connected, policy = opened()
    stranger = f"{ACCOUNT_DOMAIN}-1000"
    some = lookup_sids(connected, policy, [stranger, ANN])
    assert some["ErrorCode"] == SOME_NOT_MAPPED
    assert names_of(some) == [(UNKNOWN, "", stranger), (USER, "BOX", "Ann")]
    none = lookup_sids(connected, policy, [stranger])
    assert (none["ErrorCode"], none["MappedCount"]) == (NONE_MAPPED, 0)


def lookup_sids(connected, policy, sids, request=None):
    """LsarLookupSids2, whatever it returns: impacket's helper raises for SOME_NOT_MAPPED."""
    if request is None:
        request = lsat.LsarLookupSids2()
    for sid in sids:
        item = lsat.LSAPR_SID_INFORMATION()
        item["Sid"].fromCanonical(sid)
        request["SidEnumBuffer"]["SidInfo"].append(item)
    request["SidEnumBuffer"]["Entries"] = len(sids)
    request["TranslatedNames"]["Names"] = NULL
    request["LookupLevel"] = lsat.LSAP_LOOKUP_LEVEL.LsapLookupWksta
    if policy is not None:
        request["PolicyHandle"] = policy
    request["LookupOptions"] = 0
    request["ClientRevision"] = 1
    return connected.request(request, checkError=False)


async def test_the_third_lookup_needs_no_handle():
    found = lookup_sids(client(), None, [ANN], lsat.LsarLookupSids3())
    assert names_of(found) == [(USER, "BOX", "Ann")]
    back = lsat.hLsarLookupNames4(client(), ["ann"])
    assert back["TranslatedSids"]["Sids"][0]["Sid"].formatCanonical() == ANN


SPELLINGS = ["ann", "ANN", "box\\ann", "WORKGROUP\\Ann", "ann@box"]


@pytest.mark.parametrize("lookup", [lsat.hLsarLookupNames, lsat.hLsarLookupNames2])
async def test_a_name_has_a_sid_in_any_case_and_spelling(lookup):
    connected, policy = opened()
    assert sids_of(lookup(connected, policy, SPELLINGS)) == [(USER, ANN)] * len(SPELLINGS)
    others = ["everyone", "NT Authority\\system", "builtin\\USERS", "system"]
    assert sids_of(lookup(connected, policy, others)) == [
        (WELL_KNOWN, "S-1-1-0"),
        (WELL_KNOWN, "S-1-5-18"),
        (ALIAS, "S-1-5-32-545"),
        (WELL_KNOWN, "S-1-5-18"),
    ]


async def test_the_third_lookup_of_names_gives_whole_sids():
    connected, policy = opened()
    found = lsat.hLsarLookupNames3(connected, policy, ["ann", "box", "BUILTIN"])
    assert [one["Sid"].formatCanonical() for one in found["TranslatedSids"]["Sids"]] == [
        ANN,
        ACCOUNT_DOMAIN,
        "S-1-5-32",
    ]


@pytest.mark.parametrize(
    "name",
    ["carol", "elsewhere\\ann", "BUILTIN\\ann", "Unix User\\x", "Unix User\\4294967295", "", "@"],
)
async def test_names_that_nobody_has(name):
    connected, policy = opened()
    assert error_of(lsat.hLsarLookupNames, connected, policy, [name]) == NONE_MAPPED


async def test_a_guest_learns_no_names_of_accounts():
    # As if there were none: a refusal would tell which names there are.
    connected, policy = opened(guest=True, user="guest", accounts={}, unix_names={})
    assert names_of(lsat.hLsarLookupSids(connected, policy, ["S-1-1-0"])) == [
        (WELL_KNOWN, "", "Everyone")
    ]
    assert error_of(lsat.hLsarLookupSids, connected, policy, [ANN]) == NONE_MAPPED
    assert error_of(lsat.hLsarLookupNames, connected, policy, ["ann"]) == NONE_MAPPED


async def test_the_policy_names_the_workgroup_and_the_domain_of_accounts():
    connected, policy = opened()

    def told(which, query=lsad.hLsarQueryInformationPolicy2):
        return query(connected, policy, which)["PolicyInformation"]

    classes = lsad.POLICY_INFORMATION_CLASS
    primary = told(classes.PolicyPrimaryDomainInformation)["PolicyPrimaryDomainInfo"]
    assert primary["Name"] == "WORKGROUP"
    assert primary.fields["Sid"].fields["ReferentID"] == 0
    accounts = told(classes.PolicyAccountDomainInformation, lsad.hLsarQueryInformationPolicy)[
        "PolicyAccountDomainInfo"
    ]
    assert accounts["DomainName"] == "BOX"
    assert accounts["DomainSid"].formatCanonical() == ACCOUNT_DOMAIN
    dns = told(classes.PolicyDnsDomainInformation)["PolicyDnsDomainInfo"]
    assert (dns["Name"], dns["DnsForestName"]) == ("WORKGROUP", b"")
    with pytest.raises(DCERPCException) as caught:
        told(classes.PolicyAuditEventsInformation)
    assert caught.value.get_error_code() == INVALID_PARAMETER


async def test_the_name_of_the_caller():
    request = lsat.LsarGetUserName()
    request["SystemName"] = NULL
    request["UserName"] = NULL
    request["DomainName"] = NULL
    assert client().request(request)["UserName"] == "Ann"
    assert client(user="").request(request)["UserName"] == "ANONYMOUS LOGON"


async def test_a_handle_is_good_until_it_is_closed_and_on_its_own_pipe_only():
    connected, policy = opened()
    other = client()
    with pytest.raises(DCERPCException, match="context_mismatch"):
        lsat.hLsarLookupSids(other, policy, [ANN])
    assert lsad.hLsarClose(connected, policy)["ObjectHandle"] == bytes(20)
    with pytest.raises(DCERPCException, match="context_mismatch"):
        lsat.hLsarLookupSids(connected, policy, [ANN])


async def test_a_client_has_64_handles_at_most():
    connected = client()
    handles = [lsad.hLsarOpenPolicy2(connected)["PolicyHandle"] for _ in range(64)]
    assert error_of(lsad.hLsarOpenPolicy2, connected) == INSUFFICIENT_RESOURCES
    lsad.hLsarClose(connected, handles[0])
    lsad.hLsarOpenPolicy2(connected)


async def test_a_policy_cannot_be_opened_to_change_it():
    connected = client()
    for access in (0x00000010, 0x10000000, 0x00010000):
        assert error_of(lsad.hLsarOpenPolicy2, connected, access) == ACCESS_DENIED
    for access in (0x00000801, 0x20000000, 0x02000000):
        lsad.hLsarOpenPolicy2(connected, access)
        lsad.hLsarOpenPolicy(connected, access)


async def test_no_more_than_256_are_answered_at_once():
    connected, policy = opened()
    assert lookup_sids(connected, policy, [ANN] * 256)["MappedCount"] == 256
    with pytest.raises(DCERPCException, match="bad_stub_data"):
        lookup_sids(connected, policy, [ANN] * 257)
