"""impacket's structures as a second opinion: it reads what we pack, we read what it packs."""

from impacket import smb3structs as theirs

from smbd.wire import (
    change_notify,
    close,
    create,
    create_contexts,
    flush,
    fscc,
    fsctl,
    header,
    ioctl,
    lock,
    negotiate,
    negotiate_contexts,
    oplock_break,
    output,
    query_directory,
    query_info,
    read,
    session_setup,
    set_info,
    tree_connect,
    write,
)

GUID = bytes(range(16))
INFORMATION = fscc.FileInformation(11, 12, 13, 14, 4096, 100, 0x20, index_number=77)


def fields(structure, **values):
    """An impacket structure with its fields set."""
    for name, value in values.items():
        structure[name] = value
    return structure


FILE_ID = fields(theirs.SMB2_FILEID(), Persistent=1, Volatile=2)


def frame(structure) -> memoryview:
    packet = fields(theirs.SMB2Packet(), Data=structure)
    return memoryview(packet.getData())


def test_their_header_is_read() -> None:
    packet = fields(
        theirs.SMB2Packet(),
        CreditCharge=2,
        Command=theirs.SMB2_READ,
        CreditRequestResponse=30,
        Flags=theirs.SMB2_FLAGS_SIGNED,
        MessageID=7,
        TreeID=5,
        SessionID=3,
        Signature=GUID,
        Data="",
    )
    frame = memoryview(packet.getData())
    values = (b"\xfeSMB", 64, 2, 0, theirs.SMB2_READ, 30, 8, 0, 7, 0, 5, 3, GUID)
    assert header.HEADER.unpack(frame) == values
    assert frame[header.SIGNATURE] == GUID


def test_our_header_is_read() -> None:
    values = (b"\xfeSMB", 64, 2, 0xC0000022, 8, 30, 1, 0x70, 7, 0, 5, 3, GUID)
    packet = theirs.SMB2Packet(header.HEADER.pack(*values))
    names = ("CreditCharge", "Status", "Command", "CreditRequestResponse", "Flags")
    assert [packet[name] for name in names] == [2, 0xC0000022, 8, 30, 1]
    names = ("NextCommand", "MessageID", "TreeID", "SessionID", "Signature")
    assert [packet[name] for name in names] == [0x70, 7, 5, 3, GUID]


def test_the_two_halves_of_our_async_id_are_read_as_one() -> None:
    values = (b"\xfeSMB", 64, 1, 0x103, 8, 1, 3, 0, 7, 9, 2, 3, bytes(16))
    packet = theirs.SMB2PacketAsync(header.HEADER.pack(*values))
    assert (packet["AsyncID"], packet["SessionID"], packet["MessageID"]) == (2 << 32 | 9, 3, 7)


def test_our_transform_header_is_read() -> None:
    values = (b"\xfdSMB", GUID, b"n" * 11, 100, 0, 1, 3)
    packet = theirs.SMB2_TRANSFORM_HEADER(header.TRANSFORM_HEADER.pack(*values))
    assert packet["Nonce"] == b"n" * 11 + bytes(5)
    assert (packet["OriginalMessageSize"], packet["SessionID"]) == (100, 3)


def test_negotiate() -> None:
    request = fields(
        theirs.SMB2Negotiate(),
        DialectCount=2,
        SecurityMode=1,
        Capabilities=0x44,
        ClientGuid=GUID,
        ClientStartTime=bytes(8),
        Dialects=[0x0202, 0x0300],
    )
    assert negotiate.parse_negotiate_request(frame(request)) == negotiate.NegotiateRequest(
        1, 0x44, GUID, [0x0202, 0x0300], []
    )
    context = (1, negotiate_contexts.pack_preauth_integrity(1, b"s" * 32))
    ours = negotiate.pack_negotiate_response(
        negotiate.NegotiateResponse(
            1, 0x0311, GUID, 4, 1, 2, 3, 99, token=b"token", contexts=[context]
        )
    )
    response = theirs.SMB2Negotiate_Response(ours)
    names = ("DialectRevision", "MaxTransactSize", "MaxReadSize", "MaxWriteSize", "SystemTime")
    assert [response[name] for name in names] == [0x0311, 1, 2, 3, 99]
    assert response["Buffer"] == b"token"
    sent = theirs.SMB2NegotiateContext(ours[response["NegotiateContextOffset"] - 64 :])
    integrity = theirs.SMB2PreAuthIntegrityCapabilities(sent["Data"])
    assert integrity["Salt"] == b"s" * 32


def test_session_setup() -> None:
    request = fields(
        theirs.SMB2SessionSetup(), SecurityMode=1, SecurityBufferLength=5, Buffer=b"token"
    )
    parsed = session_setup.parse_session_setup_request(frame(request))
    assert bytes(parsed.token) == b"token"
    response = theirs.SMB2SessionSetup_Response(
        session_setup.pack_session_setup_response(2, b"answer")
    )
    assert (response["SessionFlags"], response["Buffer"]) == (2, b"answer")


def test_tree_connect() -> None:
    path = "\\\\host\\share".encode("utf-16-le")
    request = fields(theirs.SMB2TreeConnect(), PathLength=len(path), Buffer=path)
    parsed = tree_connect.parse_tree_connect_request(frame(request))
    assert parsed.path == "\\\\host\\share"
    response = theirs.SMB2TreeConnect_Response(
        tree_connect.pack_tree_connect_response(1, 0x10, 0x80, 0x1F01FF)
    )
    names = ("ShareType", "ShareFlags", "Capabilities", "MaximalAccess")
    assert [response[name] for name in names] == [1, 0x10, 0x80, 0x1F01FF]


def test_create() -> None:
    name = "dir\\ä.txt".encode("utf-16-le")
    request = fields(
        theirs.SMB2Create(),
        DesiredAccess=0x120089,
        ShareAccess=7,
        CreateDisposition=1,
        CreateOptions=0x40,
        NameLength=len(name),
        Buffer=name,
    )
    parsed = create.parse_create_request(frame(request))
    assert (parsed.name, parsed.desired_access, parsed.contexts) == ("dir\\ä.txt", 0x120089, [])
    ours = create.pack_create_response(
        0, 1, INFORMATION, 5, 6, [(b"MxAc", create_contexts.pack_maximal_access(0, 7))]
    )
    response = theirs.SMB2Create_Response(ours)
    assert (response["FileID"]["Persistent"], response["FileID"]["Volatile"]) == (5, 6)
    names = ("CreationTime", "LastAccessTime", "LastWriteTime", "ChangeTime", "EndOfFile")
    assert [response[name] for name in names] == [11, 12, 13, 14, 100]
    context = theirs.SMB2CreateContext(response["Buffer"])
    start = context["DataOffset"] - 16
    maximal = theirs.SMB2_CREATE_QUERY_MAXIMAL_ACCESS_RESPONSE(
        response["Buffer"][16 + start :][: context["DataLength"]]
    )
    assert maximal["MaximalAccess"] == 7


def test_close_and_flush() -> None:
    request = fields(theirs.SMB2Close(), Flags=1, FileID=FILE_ID)
    assert close.parse_close_request(frame(request)) == close.CloseRequest(1, 1, 2)
    request = fields(theirs.SMB2Flush(), FileID=FILE_ID)
    assert flush.parse_flush_request(frame(request)) == flush.FlushRequest(1, 2)
    response = theirs.SMB2Close_Response(close.pack_close_response(INFORMATION))
    names = ("CreationTime", "ChangeTime", "AllocationSize", "EndofFile", "FileAttributes")
    assert [response[name] for name in names] == [11, 14, 4096, 100, 0x20]


def test_read() -> None:
    request = fields(theirs.SMB2Read(), Length=4096, Offset=1 << 40, FileID=FILE_ID, MinimumCount=3)
    assert read.parse_read_request(frame(request)) == read.ReadRequest(4096, 1 << 40, 1, 2, 3, 0, 0)
    out = bytearray(read.READ_RESPONSE_SIZE) + b"data"
    read.pack_read_response_into(out, 0, 4)
    response = theirs.SMB2Read_Response(bytes(out))
    assert (response["DataLength"], response["Buffer"]) == (4, b"data")


def test_write() -> None:
    request = fields(
        theirs.SMB2Write(), Length=4, Offset=1 << 40, FileID=FILE_ID, Flags=1, Buffer=b"data"
    )
    parsed = write.parse_write_request(frame(request))
    assert parsed == write.WriteRequest(1 << 40, 1, 2, memoryview(b"data"), 0, 1)
    assert theirs.SMB2Write_Response(write.pack_write_response(4))["Count"] == 4


def test_lock() -> None:
    element = fields(theirs.SMB2_LOCK_ELEMENT(), Offset=10, Length=20, Flags=0x12)
    request = fields(
        theirs.SMB2Lock(), LockCount=1, LockSequence=9, FileID=FILE_ID, Locks=element.getData()
    )
    assert lock.parse_lock_request(frame(request)) == lock.LockRequest(
        9, 1, 2, [lock.LockElement(10, 20, 0x12)]
    )


def test_ioctl_and_its_payloads() -> None:
    chunk = fields(theirs.SRV_COPYCHUNK(), SourceOffset=1, TargetOffset=2, Length=3)
    copy = fields(
        theirs.SRV_COPYCHUNK_COPY(), SourceKey=b"k" * 24, ChunkCount=1, Chunks=chunk.getData()
    )
    request = fields(
        theirs.SMB2Ioctl(),
        CtlCode=theirs.FSCTL_SRV_COPYCHUNK,
        FileID=FILE_ID,
        InputCount=len(copy),
        MaxOutputResponse=12,
        Flags=1,
        Buffer=copy.getData(),
    )
    parsed = ioctl.parse_ioctl_request(frame(request))
    assert parsed.ctl_code == fsctl.Fsctl.SRV_COPYCHUNK
    assert fsctl.parse_copychunk(parsed.input) == fsctl.CopyChunkRequest(
        b"k" * 24, [fsctl.CopyChunk(1, 2, 3)]
    )
    response = theirs.SMB2Ioctl_Response(
        ioctl.pack_ioctl_response(parsed.ctl_code, 1, 2, fsctl.pack_copychunk(1, 0, 3))
    )
    done = theirs.SRV_COPYCHUNK_RESPONSE(response["Buffer"])
    names = ("ChunksWritten", "ChunkBytesWritten", "TotalBytesWritten")
    assert [done[name] for name in names] == [1, 0, 3]


def test_fsctl_payloads() -> None:
    wait = fields(
        theirs.FSCTL_PIPE_WAIT_STRUCTURE(),
        Timeout=50,
        NameLength=4,
        TimeoutSpecified=0,
        Name="ab".encode("utf-16-le"),
    )
    assert fsctl.parse_pipe_wait(memoryview(wait.getData())) == fsctl.PipeWait("ab", None)
    asked = fields(
        theirs.VALIDATE_NEGOTIATE_INFO(),
        Capabilities=4,
        Guid=GUID,
        SecurityMode=1,
        Dialects=[0x0202, 0x0300],
    )
    asked["DialectCount"] = 2
    assert fsctl.parse_validate_negotiate(memoryview(asked.getData())) == (
        fsctl.ValidateNegotiate(4, GUID, 1, [0x0202, 0x0300])
    )
    answer = theirs.VALIDATE_NEGOTIATE_INFO_RESPONSE(
        fsctl.pack_validate_negotiate(4, GUID, 1, 0x0300)
    )
    assert (answer["Guid"], answer["Dialect"]) == (GUID, 0x0300)
    key = theirs.SRV_REQUEST_RESUME_KEY(fsctl.pack_resume_key(b"k" * 24))
    assert key["ResumeKey"] == b"k" * 24
    snapshots = theirs.SRV_SNAPSHOT_ARRAY(fsctl.pack_snapshots(["@GMT-x"], 1024))
    assert snapshots["NumberOfSnapShotsReturned"] == 1
    assert snapshots["SnapShots"].decode("utf-16-le") == "@GMT-x\0\0"


def test_query_directory() -> None:
    pattern = "*.txt".encode("utf-16-le")
    request = fields(
        theirs.SMB2QueryDirectory(),
        FileInformationClass=37,
        Flags=2,
        FileID=FILE_ID,
        FileNameLength=len(pattern),
        OutputBufferLength=65535,
        Buffer=pattern,
    )
    parsed = query_directory.parse_query_directory_request(frame(request))
    assert parsed == query_directory.QueryDirectoryRequest(37, 2, 0, 1, 2, 65535, "*.txt")


def test_change_notify() -> None:
    request = fields(
        theirs.SMB2ChangeNotify(),
        Flags=1,
        OutputBufferLength=2048,
        FileID=FILE_ID,
        CompletionFilter=0x17,
    )
    parsed = change_notify.parse_change_notify_request(frame(request))
    assert parsed == change_notify.ChangeNotifyRequest(1, 2048, 1, 2, 0x17)
    packed = change_notify.pack_notify_information([(1, "a"), (2, "bc")], 100)
    assert packed is not None
    response = theirs.SMB2ChangeNotify_Response(output.pack_output_response(packed))
    first = theirs.FILE_NOTIFY_INFORMATION(response["Buffer"])
    second = theirs.FILE_NOTIFY_INFORMATION(response["Buffer"][first["NextEntryOffset"] :])
    assert (second["Action"], second["FileName"].decode("utf-16-le")) == (2, "bc")


def test_query_info() -> None:
    request = fields(
        theirs.SMB2QueryInfo(),
        InfoType=1,
        FileInfoClass=18,
        OutputBufferLength=1024,
        FileID=FILE_ID,
        InputBufferLength=2,
        Buffer=b"in",
    )
    parsed = query_info.parse_query_info_request(frame(request))
    assert parsed == query_info.QueryInfoRequest(1, 18, 1024, 0, 0, 1, 2, memoryview(b"in"))
    view = fscc.FileView(INFORMATION, name="a", granted_access=7)
    response = theirs.SMB2QueryInfo_Response(
        output.pack_output_response(fscc.FILE_QUERIES[18].pack(view))
    )
    everything = theirs.FILE_ALL_INFORMATION(response["Buffer"])
    assert everything["BasicInformation"]["LastWriteTime"] == 13
    assert everything["StandardInformation"]["EndOfFile"] == 100
    assert everything["AccessInformation"]["AccessFlags"] == 7
    assert everything["NameInformation"]["FileName"].decode("utf-16-le") == "\\a"


def test_set_info() -> None:
    rename = fields(
        theirs.FILE_RENAME_INFORMATION_TYPE_2(),
        ReplaceIfExists=1,
        RootDirectory=0,
        FileNameLength=4,
        FileName="ab".encode("utf-16-le"),
    )
    request = fields(
        theirs.SMB2SetInfo(),
        InfoType=1,
        FileInfoClass=10,
        BufferLength=len(rename),
        FileID=FILE_ID,
        Buffer=rename.getData(),
    )
    parsed = set_info.parse_set_info_request(frame(request))
    assert (parsed.info_class, parsed.persistent_id, parsed.volatile_id) == (10, 1, 2)
    assert fscc.parse_rename(parsed.data) == fscc.Rename(replace=True, name="ab")


def test_set_basic_information() -> None:
    times = fields(
        theirs.FILE_BASIC_INFORMATION(),
        CreationTime=1,
        LastAccessTime=-1,
        LastWriteTime=0,
        ChangeTime=-2,
        FileAttributes=0x80,
    )
    parsed = fscc.parse_basic(memoryview(times.getData()))
    assert parsed == fscc.BasicInformation(1, -1, 0, -2, 0x80)


def test_oplock_and_lease_breaks() -> None:
    request = fields(theirs.SMB2OplockBreakNotification(), OplockLevel=1, FileID=FILE_ID)
    assert oplock_break.parse_oplock_break_acknowledgment(frame(request)) == (
        oplock_break.OplockBreakAcknowledgment(1, 1, 2)
    )
    request = fields(theirs.SMB2LeaseBreakAcknowledgement(), LeaseKey=GUID, LeaseState=3)
    assert oplock_break.parse_oplock_break_acknowledgment(frame(request)) == (
        oplock_break.LeaseBreakAcknowledgment(0, GUID, 3)
    )
    notification = theirs.SMB2LeaseBreakNotification(
        oplock_break.pack_lease_break_notification(2, 1, GUID, 7, 3)
    )
    assert notification["LeaseKey"] == GUID
    assert (notification["CurrentLeaseState"], notification["NewLeaseState"]) == (7, 3)
