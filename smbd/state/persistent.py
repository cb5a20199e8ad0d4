"""Persistent opens as their records say them, and as opens again after a restart."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from smbd.auth import Identity
from smbd.memory import LOCK, Account
from smbd.ntstatus import NtError, NtStatus
from smbd.records import Record
from smbd.share import Share
from smbd.state.caching import W
from smbd.state.client import Listeners, WantedCaching
from smbd.state.durability import Creation, Durability
from smbd.state.lock_sets import ByteRange
from smbd.state.open import Open
from smbd.state.tables import Tables
from smbd.vfs import File
from smbd.wire.create_contexts import Lease


def record_of(open_: Open) -> Record:
    """All of a persistent Open that a restart must not lose."""
    durable, file, caching = open_.durable, open_.file, open_.caching
    assert durable is not None, "it is persistent"
    leased = caching is not None and not caching.is_oplock
    return Record(
        persistent_id=open_.persistent_id,
        share=open_.share.name,
        path=file.path,
        device=file.device,
        inode=file.inode,
        read=file.readable,
        write=file.writable,
        granted_access=open_.granted_access,
        share_access=open_.share_access,
        create_options=open_.create_options,
        delete_on_close=open_.delete_on_close,
        delete_pending=open_.link is not None and open_.link.delete_pending,
        user=durable.owner.user,
        timeout=durable.timeout,
        create_guid=durable.create_guid.hex(),
        client_guid=durable.client_guid.hex(),
        action=durable.action,
        caching=0 if caching is None else caching.kept,
        lease_key=caching.key.hex() if caching is not None and leased else "",
        lease_version=0 if caching is None else caching.version,
        parent_key="" if caching is None else caching.parent_key.hex(),
        epoch=0 if caching is None else caching.epoch,
        locks=[(one.offset, one.length, one.exclusive) for one in open_.locks.of(open_)],
        lock_sequences=[
            (index, one - 1) for index, one in enumerate(open_.lock_sequences or ()) if one
        ],
    )


@dataclass(slots=True, eq=False)
class _NoSession:
    """Holds an Open until it is parked."""

    claimants: tuple[str, ...]
    account: Account
    session_id: int = 0
    teller: Listeners = field(default_factory=Listeners)

    def enter(self, opened: Open, /) -> None:
        """Do nothing: no session finds a restored Open yet."""

    def leave(self, opened: Open, /) -> None:
        """Do nothing: no session finds a restored Open yet."""


def restore(
    tables: Tables, record: Record, share: Share, file: File, now: float, *, alone: bool
) -> Open:
    """Park an Open of before the restart, in the state in which it was recorded.

    `alone`: no other record is of this file.  What a client caches may have been broken since the
    record: READ and HANDLE harm no client, and WRITE only others that have the file open.
    NtError if it cannot be one of its file's.
    """
    guid = bytes.fromhex(record.create_guid)
    client_guid = bytes.fromhex(record.client_guid)
    open_ = Open(
        record.persistent_id,
        tables.opens.new_volatile_id(),
        share,
        file,
        record.granted_access,
        record.share_access,
        record.create_options,
        delete_on_close=record.delete_on_close,
    )
    state = record.caching if alone else record.caching & ~W
    wanted = WantedCaching(made=True)
    user = f"user {record.user}"
    if record.lease_key:
        wanted.client = tables.clients.known(client_guid, user)
        key, parent = bytes.fromhex(record.lease_key), bytes.fromhex(record.parent_key)
        wanted.lease = Lease(record.lease_version, key, state, 0, parent, record.epoch)
    else:
        wanted.oplock = state
    holder = _NoSession(("no connection", user), tables.durable.account)
    if tables.enter(open_, holder, wanted, now) is not None:
        raise NtError(NtStatus.SHARING_VIOLATION)
    open_.durable = Durability(
        Identity(record.user, "", b""),
        record.timeout,
        guid,
        client_guid=client_guid,
        action=record.action,
    )
    tables.durable.make_persistent(open_)
    _lock(open_, record.locks)
    for index, number in record.lock_sequences:
        open_.locked(index, number)
    open_.creation = Creation((client_guid, guid), record.action, 0)
    tables.creations.succeed(open_)
    if record.delete_pending and open_.link is not None:
        open_.link.set_delete_pending()
    if not tables.park(open_, now):
        tables.leave(open_)
        raise NtError(NtStatus.INSUFFICIENT_RESOURCES)
    return open_


def _lock(open_: Open, locks: Iterable[tuple[int, int, bool]]) -> None:
    wanted = [ByteRange(open_, offset, length, exclusive) for offset, length, exclusive in locks]
    open_.memory.grow(LOCK * len(wanted))
    open_.locks.try_all(wanted)
