"""YAML files: what is ambiguous, endless or no plain value is one line with file and line."""

import os

import pytest
import yaml
from samples import ROOT

from mekrr.errors import ConfigError
from mekrr.yaml_file import read_yaml


def refused(path, words):
    with pytest.raises(ConfigError, match=words) as caught:
        read_yaml(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert message.isprintable()


@pytest.mark.parametrize("path", sorted((ROOT / "config").glob("*.yaml")), ids=lambda p: p.name)
def test_shipped_files_are_read_as_yaml_reads_them(path):
    assert read_yaml(path) == yaml.safe_load(path.read_text())


def test_anchors_and_merged_keys(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text(
        "\ufeffa: &a {x: 1, y: [2]}\nb: {<<: *a, x: 3}\nc: [*a, *a]\n", encoding="utf-8"
    )
    a = {"x": 1, "y": [2]}
    assert read_yaml(path) == {"a": a, "b": {"x": 3, "y": [2]}, "c": [a, a]}


MAPPINGS = "a0: &a0 {x: 1}\n" + "".join(
    f"a{k}: &a{k} {{" + ", ".join(f"k{j}: *a{k - 1}" for j in range(9)) + "}\n"
    for k in range(1, 10)
)
LISTS = MAPPINGS.replace("{", "[").replace("}", "]")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("study:\n  every: 1\nx: 2\nstudy: {}\n", "line 4: key `study` is on line 1 already"),
        ("study: {every: 1, gap: true, every: 2}", "line 1: key `every` is on line 1 already"),
        ('a: 1\n"a": 2', "line 2: key `a` is on line 1 already"),
        ("- a: 1\n  b: 2\n  a: 3", "line 3: key `a` is on line 1 already"),
        (MAPPINGS, r"line \d+: more than 100000 values, with those that anchors repeat"),
        (LISTS, r"line \d+: more than 100000 values"),
        ("a: &a [1, *a]", "line 1: the anchor 'a' holds itself"),
        ("a: &a {b: *a}", "line 1: the anchor 'a' holds itself"),
        ("a: " + 5000 * "[", "line 1: is nested deeper than 50 levels"),
        ("a: " + 5000 * "{b: ", "line 1: is nested deeper than 50 levels"),
        ("\n".join(" " * k + "a:" for k in range(500)), "line 50: is nested deeper than 50 levels"),
        ("a: 1\nb:\n\tc: 2", "line 3: is indented by a tab; use spaces"),
        ("a: 1\nb: [1, 2", "line 2: while parsing a flow sequence: expected ',' or ']'"),
        ("a: 1\nb: c: d", "line 2: mapping values are not allowed here"),
        ("a: 1\nb: \x07", "line 2: holds a control character"),
        (
            "a: 1\n---\nb: 2",
            "line 2: expected a single document in the stream: but found another document",
        ),
        ("a: *b", "line 1: found undefined alias 'b'"),
        ("[1, 2]", "holds no keys"),
        ("text", "holds no keys"),
        ("", "holds no keys"),
        ("a: 1\nb: !!python/name:os.system ''", "line 2: a value of the kind '?!?!?python/name:os"),
        ("a: !mine {b: 1}", "line 1: a value of the kind '!mine'"),
        ("a: !!set {b}", "line 1: a value of the kind 'set'"),
        ("a: !!binary aGk=", "line 1: a value of the kind 'binary'"),
        ("a: 2020-13-45", "line 1: a value of the kind 'timestamp'"),
        ("a: 0x_", "line 1: '0x_' is not the number or value that it looks like"),
        ("a: !!int one", "line 1: 'one' is not the number"),
        ("a: !!bool one", "line 1: 'one' is not the number"),
        ("a: 1" + "0" * 5000, "line 1: '1000.*is not the number"),
        ("? [1, 2]\n: 3", "line 1: while constructing a mapping: found unhashable key"),
        ("? {a: 1}\n: 3", "line 1: while constructing a mapping: found unhashable key"),
        ("a: =", "line 1: a value of the kind 'value'"),
    ],
)
def test_refused(tmp_path, text, words):
    path = tmp_path / "a.yaml"
    path.write_text(text, encoding="utf-8")
    refused(path, words)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"a: 1\nb: caf\xe9\n", "line 2: byte 0xe9 is not UTF-8; save the file as UTF-8"),
        ("a: 1".encode("utf-16"), "line 1: byte 0xff is not UTF-8"),
        (b"a: 1\n" + b"# x\n" * (1 << 18), "more than 1048576 bytes"),
        (b"a: 1\n\x00", "line 2: holds a control character"),
    ],
)
def test_bytes_refused(tmp_path, data, words):
    path = tmp_path / "a.yaml"
    path.write_bytes(data)
    refused(path, words)


def test_places_that_are_no_file(tmp_path):
    refused(tmp_path / "missing.yaml", "cannot be read .No such file")
    refused(tmp_path, "is no regular file")
    refused("/dev/zero", "is no regular file")
    os.mkfifo(tmp_path / "pipe")
    refused(tmp_path / "pipe", "is no regular file")
