"""A tree written as JSON."""

import json
from datetime import UTC, datetime

import pytest

from smbd.content import HIDDEN, NORMAL, READONLY, File, Folder, Symlink, make, read_tree
from smbd.content.document import DocumentError, load, parse

TEXT = """
{
  "a": {
    "b.txt": "text",
    "c.bin": {"base64": "/wA="},
    "link": {"symlink": "b.txt"},
    "large": {"size": "5 GiB"},
    "old.txt": {"text": "old", "size": 10, "mtime": "2001-02-03T04:05:06Z", "created": 1000000000,
                "attributes": ["readonly", "hidden"], "mode": "0444",
                "eas": {"E": "v"}, "streams": {"s": {"base64": "AAE="}}}
  },
  "plain": {"folder": {"size": "a file named size"}, "attributes": ["normal"]}
}
"""
TREE = {
    "a": {
        "b.txt": "text",
        "c.bin": b"\xff\x00",
        "link": Symlink("b.txt"),
        "large": File(size=5 << 30),
        "old.txt": File(
            "old",
            size=10,
            mtime=datetime(2001, 2, 3, 4, 5, 6, tzinfo=UTC),
            created=1e9,
            attributes=READONLY | HIDDEN,
            mode=0o444,
            eas={"E": "v"},
            streams={"s": b"\0\1"},
        ),
    },
    "plain": Folder({"size": "a file named size"}, attributes=NORMAL),
}


def test_it_says_all_that_python_can(tmp_path):
    (tmp_path / "content.json").write_text(TEXT)
    made = tmp_path / "made"
    made.mkdir()
    make(made, load(tmp_path / "content.json"))
    assert read_tree(made) == TREE == parse(TEXT)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("", "is no JSON: Expecting value: line 1 column 1"),
        ("{", "is no JSON"),
        ('"text"', "must be an object, a folder: {...}, not a text"),
        ('{"text": "x"}', "describes a file, and must be a folder"),
        ('{"a": 3}', "a: must be a text or an object, not a number"),
        ('{"a": {"b": null}}', "a/b: must be a text or an object, not null"),
        ('{"a": [1]}', "a: must be a text or an object, not an array"),
        ('{"a": "1", "a": "2"}', '"a" is twice in one object'),
        ('{"a/b": ""}', "a name has no slash"),
        ('{"a": {"base64": "%"}}', 'a: "base64" is none'),
        ('{"a": {"base64": "", "text": ""}}', 'a: has both "text" and "base64"'),
        ('{"a": {"size": "5 Gib."}}', 'a: "size" must be a number of bytes, or like "64 MiB"'),
        ('{"a": {"size": -1}}', "a: size: must be from 0"),
        ('{"a": {"size": true}}', 'a: "size" must be a number of bytes'),
        ('{"a": {"symlink": ""}}', "a: a symbolic link's target must be a path"),
        ('{"a": {"symlink": "b", "mode": "0444"}}', 'a: "mode" has no place beside "symlink"'),
        ('{"a": {"size": 3, "b.txt": ""}}', '{"folder": {"size": ...}}'),
        ('{"a": {"folder": "x"}}', 'a: "folder" must be an object, not a text'),
        ('{"a": {"size": 1, "mode": 444}}', 'a: "mode" must be a text of octal digits, as "0444"'),
        ('{"a": {"size": 1, "mode": "0999"}}', 'a: "mode" must be a text of octal digits'),
        ('{"a": {"size": 1, "mtime": "2001-02-03"}}', 'like "2001-02-03T04:05:06Z"'),
        ('{"a": {"size": 1, "mtime": "soon"}}', 'like "2001-02-03T04:05:06Z"'),
        ('{"a": {"size": 1, "attributes": "hidden"}}', 'as ["readonly", "hidden"]'),
        (
            '{"a": {"size": 1, "attributes": ["invisible"]}}',
            'a: "attributes": there is no "invisible"',
        ),
        ('{"a": {"size": 1, "eas": {"E": 1}}}', 'a: "eas": "E" must be a text, or'),
        ('{"a": "\\ud800"}', "a: surrogates not allowed"),
        ('{"\\ud800": ""}', "a name must be Unicode"),
        ('{"a": ' * 100_000, "nested too deeply"),
        (b"\xff", "is no JSON"),
    ],
)
def test_a_mistake_is_told_with_its_place(document, message):
    with pytest.raises(DocumentError) as caught:
        parse(document)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_any_json_is_a_tree_or_a_mistake():
    for value in ({}, [], 1, None, True, {"a": {"folder": {"folder": {"folder": "x"}}}}):
        try:
            parse(json.dumps(value))
        except DocumentError:
            assert value != {}


def test_the_file_is_named(tmp_path):
    (tmp_path / "content.json").write_text("[]")
    with pytest.raises(DocumentError, match=r"content\.json: must be an object"):
        load(tmp_path / "content.json")
