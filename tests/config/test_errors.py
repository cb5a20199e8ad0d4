"""A wrong shares.toml is refused: each problem names file, line, key, and what would be right."""

import os
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from smbd import config
from smbd.config import ConfigError, reading

GUESTS = "[shares.a]\npath = '/'\nguest = true\n"


def problems(folder: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.chdir(folder)
    file = Path("shares.toml")
    file.write_text(dedent(text))
    file.chmod(0o600)
    with pytest.raises(ConfigError) as caught:
        config.load(file)
    assert str(caught.value).splitlines() == [str(problem) for problem in caught.value.problems]
    return [str(problem) for problem in caught.value.problems]


def test_all_problems_are_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert problems(
        tmp_path,
        """\
        [server]
        signing = "requires"
        listen = [
            "127.0.0.1:4450",
            "::1:4450",
        ]

        [shares.music]
        path = "/srv/music"
        engines = "threads"
        read_only = "yes"
        users = ["ann", "bop"]

        [users.bob]
        password = "x"
        """,
        monkeypatch,
    ) == [
        'shares.toml:2: server.signing: must be "required" or "enabled", not "requires"',
        'shares.toml:5: server.listen[1]: an IPv6 address stands in brackets, as in "[::1]:4450"',
        "shares.toml:9: shares.music.path: /srv/music: there is no such folder; "  # noqa: ISC004
        "make it, or add create = true",
        'shares.toml:10: shares.music.engines: unknown key; did you mean "engine"?',
        "shares.toml:11: shares.music.read_only: must be true or false, not a string",
        'shares.toml:12: shares.music.users[0]: there is no user "ann"; add [users.ann]',
        'shares.toml:12: shares.music.users[1]: there is no user "bop"; did you mean "bob"?',
    ]


def test_rights_that_contradict_one_another(tmp_path: Path, monkeypatch) -> None:
    users = "".join(f'[users.{name}]\npassword = "x"\n' for name in ("ann", "bob", "carl"))
    assert problems(
        tmp_path,
        users
        + """\
[shares.a]
path = "/"
read_only = true
write = ["ann"]
[shares.b]
path = "/"
write = ["ann", "bob"]
read = ["carl", "BOB"]
[shares.c]
path = "/"
users = ["ann", "carl"]
write = ["ann"]
read = ["carl"]
[shares.d]
path = "/"
users = ["ann"]
write = ["bob"]
[shares.e]
path = "/"
write = []
[shares.f]
path = "/"
read = ["dora"]
""",
        monkeypatch,
    ) == [
        "shares.toml:10: shares.a.write: read_only = true lets nobody write: "  # noqa: ISC004
        "leave one of them out",
        'shares.toml:14: shares.b.read[1]: "bob" is in write too',
        "shares.toml:17: shares.c.users: write and read together name all who may connect: "  # noqa: ISC004
        "leave users out",
        'shares.toml:23: shares.d.write[0]: "bob" is not among users',
        "shares.toml:26: shares.e.write: must name a user; read_only = true lets nobody write",
        'shares.toml:29: shares.f.read[0]: there is no user "dora"; add [users.dora]',
    ]


@pytest.mark.parametrize(("guest", "found"), [("'strangers'", '"strangers"'), ("1", "an integer")])
def test_guest_is_a_boolean_or_a_word(tmp_path: Path, monkeypatch, guest, found) -> None:
    text = f"[users.a]\npassword = 'x'\n[shares.a]\npath = '/'\nguest = {guest}\n"
    assert problems(tmp_path, text, monkeypatch) == [
        f'shares.toml:5: shares.a.guest: must be true, false or "unknown", not {found}'
    ]


def test_a_share_of_homes_leads_each_user_to_a_folder_of_its_own(tmp_path: Path, monkeypatch):
    assert problems(
        tmp_path,
        """\
        [users.ann]
        password = "x"
        [users.".."]
        password = "x"
        [shares.a]
        path = "/tmp/{user}/files of {user}"
        [shares.b]
        path = "/tmp/{user}"
        guest = true
        [shares.c]
        path = "/nowhere/at all/{user}"
        users = ["ann"]
        [shares.d]
        path = "/tmp/{user}/files"
        users = ["ann"]
        create = true
        """,
        monkeypatch,
    ) == [
        "shares.toml:6: shares.a.path: {user} may stand in one part of the path",
        'shares.toml:6: shares.a.path: there can be no folder for the user ".."',
        'shares.toml:8: shares.b.path: there can be no folder for the user ".."',
        "shares.toml:9: shares.b.guest: guests have no home",
        "shares.toml:11: shares.c.path: /nowhere/at all: there is no such folder; "  # noqa: ISC004
        "make it, or add create = true",
        "shares.toml:16: shares.d.create: makes no folder in a user's own: "  # noqa: ISC004
        "{user} must stand in the last part of path",
    ]


@pytest.mark.parametrize("name", ["a/b", "..", "x.", ".SMBD-streams", "*", "n" * 256])
def test_a_recycle_folder_is_one_folder_in_the_share(tmp_path: Path, monkeypatch, name) -> None:
    text = f"[shares.a]\npath = '/'\nguest = true\nrecycle = '{name}'\n"
    wanted = f'must be the name of a folder in the share, as in ".recycle", not "{name}"'
    assert problems(tmp_path, text, monkeypatch) == [f"shares.toml:4: shares.a.recycle: {wanted}"]


def test_days_in_a_recycle_folder_need_one(tmp_path: Path, monkeypatch) -> None:
    text = "[shares.a]\npath = '/'\nguest = true\nrecycle_days = 30\n"
    wanted = 'says for how long: it needs recycle, say ".recycle"'
    assert problems(tmp_path, text, monkeypatch) == [
        f"shares.toml:4: shares.a.recycle_days: {wanted}"
    ]


@pytest.mark.parametrize("key", ["hide", "veto", "recycle_except"])
def test_a_pattern_is_a_name_and_no_path(tmp_path: Path, monkeypatch, key) -> None:
    patterns = "['*.tmp', '/x/', 'a\\\\b', '', 1]"
    text = f"[shares.a]\npath = '/'\nguest = true\n{key} = {patterns}\n"
    told = problems(tmp_path, text, monkeypatch)
    wanted = "must be a name of a file, in which * is any characters and ? one of them, up to 255"
    assert told == [
        f'shares.toml:4: shares.a.{key}[1]: {wanted}, none of " / : < > \\ |',
        f'shares.toml:4: shares.a.{key}[2]: {wanted}, none of " / : < > \\ |',
        f"shares.toml:4: shares.a.{key}[3]: must be a string of at least one character, all of "  # noqa: ISC004
        "them printable",
        f'shares.toml:4: shares.a.{key}[4]: must be a string ("..."), not an integer',
    ]


def test_two_users_with_one_number_in_access_lists(tmp_path: Path, monkeypatch) -> None:
    assert problems(
        tmp_path,
        """\
        [users.user40505]
        password = "x"
        [users.user78174]
        password = "y"
        [shares.music]
        path = "/"
        """,
        monkeypatch,
    ) == [
        (
            'shares.toml:3: users.user78174: has the same number in access lists as "user40505"'
            ": give one of them another name"
        ),
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[server\n", "shares.toml:1: Expected ']' at the end of a table declaration"),
        ("a = 'x", 'shares.toml:1: Expected "\'" (at end of document)'),
        ("\na = 1\na = 2\n", "shares.toml:3: Cannot overwrite a value"),
        (
            "[server]\nlisten = [127.0.0.1:4450]\n",
            'shares.toml:2: Unclosed array; a text stands in quotes: listen = ["..."]',
        ),
        (
            "[shares.my music]\n",
            "shares.toml:1: Expected ']' at the end of a table declaration; "  # noqa: ISC004
            'a name with a space stands in quotes: [shares."..."]',
        ),
        (
            "[users.a]\npassword = hunter2\n",
            'shares.toml:2: Invalid value; a text stands in quotes: password = "..."',
        ),
        (
            '[shares.a]\npath = "C:\\Users"\n',
            'shares.toml:2: Invalid hex value; in "..." a backslash begins an escape: '  # noqa: ISC004
            "write 'C:\\folder' in single quotes, or \"C:\\\\folder\"",
        ),
    ],
)
def test_toml_errors_keep_their_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, problem: str
) -> None:
    assert problems(tmp_path, text, monkeypatch) == [problem]


def test_a_file_that_is_not_there_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no\.toml: No such file or directory"):
        config.load(tmp_path / "no.toml")
    (tmp_path / "latin1.toml").write_bytes(b"# \xfc")
    with pytest.raises(ConfigError, match=r"latin1\.toml: TOML is UTF-8, and byte 2 .* is not"):
        config.load(tmp_path / "latin1.toml")


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("listen = '127.0.0.1:1'", "listen: must be an array ([...]), not a string"),
        ("listen = []", "listen: must have at least one address"),
        ("listen = [4450]", 'listen[0]: must be a string, as in "127.0.0.1:4450", not an integer'),
        ("listen = ['a:1', 'a:1']", "listen[1]: a:1 is there twice"),
        (
            "listen = ['127.0.0.1:1', '0.0.0.0:1']",
            "listen[1]: 0.0.0.0:1 and 127.0.0.1:1 are one port twice",
        ),
        ("listen = ['[::1]:1', '[::]:1']", "listen[1]: [::]:1 and [::1]:1 are one port twice"),
        ("metrics = '127.0.0.1:1'\nlisten = ['0.0.0.0:1']", "metrics: 127.0.0.1:1 and 0.0.0.0:1 "),
        ("listen = [1979-05-27]", 'listen[0]: must be a string ("..."), not a date or time'),
        ("name = 'sixteen-letters-'", 'name: must be 1 to 15 letters, digits, "-" or "_", not '),
        ("workgroup = ''", "workgroup: must be 1 to 15 letters"),
        ("max_dialect = '4'", 'max_dialect: must be "2.0.2", "2.1", "3.0", "3.0.2" or "3.1.1"'),
        ("max_dialect = 3.0", 'max_dialect: must be "2.0.2", "2.1", "3.0", "3.0.2" or "3.1.1", '),
        ("min_dialect = '3.0'\nmax_dialect = '2.1'", "min_dialect: must not be above max_dialect"),
        ("encryption = 'required'\nmax_dialect = '2.1'", 'encryption: "required" needs a max_di'),
        ("encryption = true", 'encryption: must be "off", "desired" or "required", not a boolean'),
        ("sining = 'enabled'", 'sining: unknown key; did you mean "signing"?'),
        ("max_read = 65536", "max_read: unknown key; it belongs in [server.limits]"),
        ("read_only = true", "read_only: unknown key; it belongs in [shares.NAME]"),
        ("xyzzy = 1", "xyzzy: unknown key; known here: announce, encryption, interfaces, leases,"),
        (
            "metrics = '9445'",
            'metrics: must look like "127.0.0.1:4450", not "9445"; did you mean "127',
        ),
        ("metrics = 9445", 'metrics: must be a string, as in "127.0.0.1:9445", not an integer'),
        ("announce = 'files:0'", "announce: must have the port that clients connect to, not 0"),
        ("limits = 3", "limits: must be a table, not an integer"),
        ("limits.opens = 0", "limits.opens: must be an integer from 1 to 1000000, not 0"),
        ("limits.opens = true", "limits.opens: must be an integer from 1 to 1000000, not a bool"),
        ("limits.login_time = 0", "limits.login_time: must be a number of seconds from 1 to 3600"),
        ("limits.idle_time = '1h'", "limits.idle_time: must be a number of seconds from 0 to 2592"),
        ("limits.max_read = '9 MiB'", 'limits.max_read: must be a size from "64 KiB" to "8 MiB", '),
        (
            "limits.max_read = '1 MB'",
            'limits.max_read: must be a size from "64 KiB" to "8 MiB" in B',
        ),
        ("limits.max_read = 1.5", "limits.max_read: must be a size from "),
        (
            "limits.max_read = 15",
            'limits.max_read: must be a size from "64 KiB" to "8 MiB", not "15 B"',
        ),
        ("limits.memory = '15 MiB'", 'limits.memory: must be at least "16 MiB"'),
        (
            "limits.credits = 127",
            "limits.credits: must be at least 128, which pay for one transfer",
        ),
    ],
)
def test_the_server_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, problem: str
) -> None:
    found = problems(tmp_path, f"[server]\n{line}\n{GUESTS}", monkeypatch)
    assert any(one.startswith(f"shares.toml:2: server.{problem}") for one in found), found


@pytest.mark.parametrize(
    ("name", "lines", "problem"),
    [
        ("ann", "", "ann: must have exactly one of password, password_file and nt_hash, not none"),
        ("ann", "password = 'a'\nnt_hash = '" + "0" * 32 + "'", "ann: must have exactly one of"),
        ("ann", "nt_hash = '8846'", 'ann.nt_hash: must be 32 hexadecimal digits, as "tsmbd user'),
        ("ann", "password = 5", 'ann.password: must be a string ("..."), not an integer'),
        ("ann", "password = ''", "ann.password: must not be empty"),
        ("ann", "password = 'a'\ngenerate = true", "ann.generate: needs a password_file to write"),
        ("ann", "passwd = 'a'", 'ann.passwd: unknown key; did you mean "password"?'),
        ("ann", "password_file = 'no'", "ann.password_file: {folder}/no: No such file or dir"),
        ("ann", "password_file = 'two'", "ann.password_file: {folder}/two: must hold one line, "),
        ("ann", "password_file = 'raw'", "ann.password_file: {folder}/raw: must be UTF-8 text"),
        ("'a/b'", "password = 'a'", '"a/b": a user\'s name has 1 to 64 printable characters, none'),
        ("''", "password = 'a'", '"": a user\'s name has 1 to 64 printable'),
    ],
)
def test_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, lines: str, problem: str
) -> None:
    (tmp_path / "two").write_text("one\ntwo\n")
    (tmp_path / "raw").write_bytes(b"\xff")
    found = problems(tmp_path, f"{GUESTS}[users.{name}]\n{lines}\n", monkeypatch)
    expected = f"users.{problem.format(folder=tmp_path)}"
    assert any(one.split(": ", 1)[1].startswith(expected) for one in found), found


def test_a_wrong_password_is_not_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "[users.a]\npassword = ['hunter2']\n[users.b]\nnt_hash = 'hunter2'\n" + GUESTS
    assert "hunter2" not in "".join(problems(tmp_path, text, monkeypatch))


def test_names_that_differ_in_case_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = GUESTS + "[shares.A]\npath = '/'\nguest = true\n"
    assert problems(tmp_path, text, monkeypatch) == [
        'shares.toml:4: shares.A: is the same name as "a": case does not count'
    ]


@pytest.mark.parametrize(
    ("name", "lines", "problem"),
    [
        ("a", "", "a.path: is missing: the folder to serve"),
        ("a", "path = ''", "a.path: must be a string of at least one character"),
        ("a", "path = '~nobody-has-this-name/x'", "a.path: ~nobody-has-this-name/x: "),
        ("a", "path = '/'", "a: nobody can log in: add [users.NAME], or guest = true"),
        ("a", "path = '/'\nusers = 'ann'", "a.users: must be an array ([...]), not a string"),
        ("IPC$", "path = '/'", '"IPC$": this name is reserved'),
        ("'a/b'", "path = '/'", '"a/b": a share\'s name has 1 to 80 printable characters'),
        ("' a'", "path = '/'", '" a": a share\'s name has 1 to 80 printable characters'),
        ("x" * 81, "path = '/'", "x" * 81 + ": a share's name has 1 to 80"),
        ("a", "path = '/'\nengine = 'thread'", "a.engine: there is no engine 'thread'"),
        ("a", "path = '/'\nengine_options.worker = 1", "a.engine_options.worker: engine "),
        ("a", "path = '/'\nengine_options.workers = 0", "a.engine_options.workers: workers is a "),
        ("a", "path = '/'\nencryption = 'required'\nguest = true", "a.guest: guests have no key"),
        ("a", "path = '/'\ncontinuous = true", "a.continuous: needs server.state_directory"),
    ],
)
def test_shares(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, lines: str, problem: str
) -> None:
    name = f'"{name}"' if "$" in name else name
    found = problems(tmp_path, f"[shares.{name}]\n{lines}\n", monkeypatch)
    assert any(one.split(": ", 1)[1].startswith(f"shares.{problem}") for one in found), found


def test_a_share_that_no_user_may_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "[users.a]\npassword = 'x'\n[shares.a]\npath = '/'\nusers = []\n"
    assert problems(tmp_path, text, monkeypatch) == [
        "shares.toml:5: shares.a.users: must name a user; without this key, every user may"
    ]


def test_encryption_is_never_weaker_than_the_servers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = """\
        [server]
        encryption = "required"
        [users.a]
        password = "x"
        [shares.a]
        path = "/"
        encryption = "desired"
        """
    assert problems(tmp_path, text, monkeypatch) == [
        'shares.toml:7: shares.a.encryption: must be "required" too, as server.encryption is'
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", 'shares.toml: shares: there is nothing to serve: add [shares.NAME] with path = ""'),
        ("shares = 1", "shares.toml:1: shares: must be a table, not an integer"),
        ("[shares]\na = '/'", "shares.toml:2: shares.a: must be a table: [shares.a]"),
        ("[share.a]\npath = '/'", 'shares.toml:1: share: unknown key; did you mean "shares"?'),
        ("listen = []\n" + GUESTS, "shares.toml:1: listen: unknown key; it belongs in [server]"),
    ],
)
def test_the_top(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, problem: str) -> None:
    assert problem in problems(tmp_path, text, monkeypatch)


def test_a_secret_of_a_container_may_be_readable_inside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "secrets/me"
    secret.parent.mkdir()
    secret.write_text("hunter2\n")
    secret.chmod(0o444)
    file = tmp_path / "shares.toml"
    file.write_text(
        "[users.me]\npassword_file = 'secrets/me'\n[shares.a]\npath = '/'\nguest = true\n"
    )
    assert len(config.load(file).warnings) == 1
    monkeypatch.setattr(sys.modules["smbd.config.passwords"], "_SECRETS", secret.parent)
    assert config.load(file).warnings == ()


@pytest.mark.parametrize("kind", ["fifo", "endless", "large", "password file"])
def test_what_never_ends_is_no_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(reading, "_PATIENCE", 0.0)
    file = tmp_path / "shares.toml"
    os.mkfifo(tmp_path / "fifo")
    writer = os.open(tmp_path / "fifo", os.O_RDWR)  # that says nothing, and does not end
    if kind == "fifo":
        file.symlink_to(tmp_path / "fifo")
    elif kind == "endless":
        file.symlink_to("/dev/zero")
    elif kind == "large":
        file.touch()
        os.truncate(file, reading.LARGEST + 1)
    else:
        file.write_text(f"[users.a]\npassword_file = '{tmp_path}/fifo'\n")
    try:
        with pytest.raises(ConfigError, match=r"timed out|too large"):
            config.load(file)
    finally:
        os.close(writer)


def test_a_configuration_may_come_through_a_pipe(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.write(writer, f"[shares.a]\npath = '{tmp_path}'\nguest = true\n".encode())
    os.close(writer)
    assert [share.name for share in config.load(Path(f"/dev/fd/{reader}")).shares] == ["a"]
    os.close(reader)


def test_a_byte_order_mark_is_passed_over_with_a_warning(tmp_path: Path) -> None:
    file = tmp_path / "shares.toml"
    file.write_bytes(b"\xef\xbb\xbf[shares.a]\npath = '/'\nguest = true\n")
    found = config.load(file)
    assert [share.name for share in found.shares] == ["a"]
    assert str(found.warnings[0]).startswith(f"{file}:1: the file begins with a byte order mark")
