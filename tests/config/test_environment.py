"""Where there is no shares.toml, SMBD_FOLDER and its companions say what a container serves."""

import pytest

from smbd.config import Address, ConfigError, load, prepare


@pytest.fixture
def environment(monkeypatch, tmp_path):
    """Set the variables: no other one of these is set."""
    for name in ("SMBD_FOLDER", "USER", "PASSWORD", "PASSWORD_FILE", "SHARE"):
        monkeypatch.delenv(name, raising=False)

    def set_(**variables):
        monkeypatch.setenv("SMBD_FOLDER", str(tmp_path))
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        return tmp_path / "shares.toml"

    return set_


def test_a_password_is_enough(environment, tmp_path):
    config = prepare(load(environment(PASSWORD="secret"))).config
    [share], [user] = config.shares, config.users
    assert (share.name, share.path) == ("share", tmp_path)
    assert (user.name, user.password) == ("smbd", "secret")
    assert config.server.listen == (Address("0.0.0.0", 4450),)
    assert config.server.interfaces == ()
    assert not config.warnings


def test_user_share_and_a_password_file_are_taken_as_they_are(environment, tmp_path):
    (tmp_path / "p").write_text("sec'ret\"\\\n")
    (tmp_path / "p").chmod(0o600)
    file = environment(USER="ann smith", SHARE="my docs", PASSWORD_FILE=str(tmp_path / "p"))
    config = load(file)
    assert config.users[0].name == "ann smith"
    assert config.users[0].password == "sec'ret\"\\"
    assert config.shares[0].name == "my docs"


@pytest.mark.parametrize("password", ['a"b\\c', "x\ty", "\x01", "ünï", "${HOME}", "'''", "#"])
def test_a_password_of_any_characters_arrives(environment, password):
    assert load(environment(PASSWORD=password)).users[0].password == password


def test_a_file_that_is_there_says_all_itself(environment, tmp_path):
    file = environment(PASSWORD="secret", SHARE="other")
    file.write_text(f'[users.me]\npassword = "own"\n[shares.mine]\npath = "{tmp_path}"\n')
    file.chmod(0o600)
    config = load(file)
    assert config.shares[0].name == "mine"
    assert config.users[0].password == "own"


def test_without_smbd_folder_the_file_is_what_is_missing(monkeypatch, tmp_path):
    monkeypatch.delenv("SMBD_FOLDER", raising=False)
    monkeypatch.setenv("PASSWORD", "secret")
    with pytest.raises(ConfigError, match="No such file"):
        load(tmp_path / "shares.toml")


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({}, "PASSWORD: must be set, or PASSWORD_FILE to the path"),
        ({"PASSWORD": "a", "PASSWORD_FILE": "b"}, "PASSWORD and PASSWORD_FILE exclude each other"),
        ({"PASSWORD_FILE": "/nowhere"}, "users.smbd.password_file: /nowhere: No such file"),
        ({"PASSWORD": "a", "SHARE": "a/b"}, 'shares."a/b": a share\'s name has 1 to 80'),
        ({"PASSWORD": "a", "SHARE": "ipc$"}, "this name is reserved"),
        ({"PASSWORD": "a", "USER": "a:b"}, 'users."a:b": a user\'s name has 1 to 64'),
        ({"PASSWORD": "a", "SMBD_FOLDER": "/nowhere"}, "/nowhere: there is no such folder"),
    ],
)
def test_what_is_wrong_is_said_of_the_environment(environment, variables, told):
    file = environment(**variables)
    with pytest.raises(ConfigError) as caught:
        prepare(load(file))
    assert str(caught.value).startswith("environment:")
    assert told in str(caught.value)
