"""Whatever is in a file or a config: success, or a MekrrError of one line. Never a traceback."""

import copy
import io
import json
import os
import tarfile
import zipfile
from datetime import timedelta

import ase.io
import jsonschema
import numpy as np
import pytest
import torch
import yaml
from ase.calculators.singlepoint import SinglePointCalculator
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from model_files import (
    as_format_1,
    predictions,
    record_of,
    seal,
    small_models,
    small_sparse_model,
    tensors_of,
)
from safetensors.numpy import save_file
from samples import ROOT, labelled
from studies import default_config

from mekrr import load_model
from mekrr.backbones.registry import registered
from mekrr.cli.printing import summary
from mekrr.data.frames import check_frame, read_frames
from mekrr.data.labels import energy_of
from mekrr.errors import DataError, MekrrError
from mekrr.models.network.checkpoint import read_checkpoint, write_checkpoint
from mekrr.study.archives import extract_member
from mekrr.study.config import StudyConfig, check_config
from mekrr.study.config.files import check_sources
from mekrr.study.provenance import read_record, record_path, record_text
from mekrr.tensors import TensorFile, write_tensors
from mekrr.yaml_file import read_yaml

MORE = int(os.environ.get("MEKRR_FUZZ", "1"))  # times as many cases, see `make fuzz`


def cases(count):
    """The same cases on every machine, nothing kept between runs."""
    return settings(
        max_examples=count * MORE,
        derandomize=True,
        database=None,
        deadline=timedelta(seconds=10),
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )


def one_line_or_success(read, *arguments):
    """What ``read`` returns; None if it refused its input with one line."""
    try:
        return read(*arguments)
    except MekrrError as error:
        message = str(error)
        assert message
        assert "\n" not in message
        return None


def text_of(frames):
    stream = io.StringIO()
    ase.io.write(stream, frames, format="extxyz")
    return stream.getvalue()


VALID = text_of(labelled(10))
TOKENS = st.one_of(
    st.sampled_from(["nan", "inf", "-1", "1e400", "999999999999", "", '"', "'", "=", "  ", "\x00"]),
    st.sampled_from(
        ["Properties=", "energy=", "T T", "pos:R:0", "species:S:1", "_JSON {}", "[1, 2"]
    ),
    st.sampled_from(["Cu", "Xx", "118", "ü", "{"]),
)
DAMAGE = st.one_of(
    st.tuples(st.just("replace"), st.integers(0, 10**4), TOKENS),
    st.tuples(st.just("insert"), st.integers(0, 10**4), TOKENS),
    st.tuples(st.just("cut"), st.integers(0, 10**4), st.integers(1, 40)),
    st.tuples(st.just("end"), st.integers(0, 10**4), st.none()),
)


def damaged(text, damages):
    """A text with words replaced and inserted, stretches cut out, and its end cut off."""
    for kind, place, what in damages:
        if kind in ("replace", "insert"):
            words = text.split(" ")
            place %= len(words)
            words[place : place + (kind == "replace")] = [what]
            text = " ".join(words)
        else:
            place %= max(len(text), 1)
            text = text[:place] + ("" if kind == "end" else text[place + what :])
    return text


def assert_checked(frames):
    assert len(frames) >= 2
    for atoms in frames:
        check_frame(atoms, "frame")
        assert np.isfinite(atoms.get_potential_energy())


@pytest.mark.filterwarnings("ignore:.*ha(ve|s) (no )?forces:mekrr.errors.DataWarning")
@cases(200)
@given(damages=st.lists(DAMAGE, min_size=1, max_size=3))
def test_damaged_trajectory(tmp_path, damages):
    path = tmp_path / "a.extxyz"
    path.write_text(damaged(VALID, damages), encoding="utf-8")
    frames = one_line_or_success(read_frames, path)
    if frames is not None:
        assert_checked(frames)


def written(count, n_atoms, seed):
    """Extended XYZ of many frames, with forces and other columns, and the energies in it."""
    frames = labelled(count, seed=seed)
    for atoms in frames:
        del atoms[n_atoms:]
        energy = float(np.random.default_rng(seed + len(atoms)).normal())
        atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=np.ones((n_atoms, 3)))
        atoms.new_array("tag", np.arange(n_atoms))
    return [text_of([atoms]).splitlines() for atoms in frames], frames


def _row(lines, k):
    """Some line of an atom."""
    return min(2 + k % max(len(lines) - 2, 1), len(lines) - 1)


def _column(lines, k, words):
    row = _row(lines, k)
    lines[row] = " ".join([*lines[row].split(), *words] if words else lines[row].split()[:-1])


STRUCTURE = {  # how the lines of a frame are damaged; True where it may still be read
    "count": (lambda lines, k: lines.__setitem__(0, str(len(lines) - 2 + (-1, 1)[k % 2])), False),
    "huge count": (lambda lines, k: lines.__setitem__(0, str(10 ** (7 + k % 20 + 1))), False),
    "column missing": (lambda lines, k: _column(lines, k, []), False),
    "column more": (lambda lines, k: _column(lines, k, ["7"]), False),
    "atom more": (lambda lines, k: lines.append(lines[_row(lines, k)]), False),
    "atom less": (lambda lines, k: lines.pop(_row(lines, k)), False),
    "comment missing": (lambda lines, _: lines.pop(1), False),
    "blank inside": (lambda lines, k: lines.insert(_row(lines, k), ""), False),
    "key twice": (lambda lines, _: lines.__setitem__(1, lines[1] + " energy=3.0"), False),
    "open quote": (lambda lines, _: lines.__setitem__(1, lines[1].replace('"', "", 1)), False),
    "D exponent": (
        lambda lines, _: lines.__setitem__(1, lines[1].replace("energy=", "energy=1.0D+0")),
        False,
    ),
    "rubbish between": (
        lambda lines, k: lines.append(("x", "--", "4 4", "VEC1 1 0 0")[k % 4]),
        False,
    ),
    "blank between": (lambda lines, k: lines.extend(["", "  ", "\t"][: 1 + k % 3]), True),
    "byte order mark": (lambda lines, _: lines.__setitem__(0, "\ufeff" + lines[0]), True),
    "stress of six": (
        lambda lines, _: lines.__setitem__(1, lines[1] + ' stress="1 1 1 0 0 0"'),
        True,
    ),
    "odd keys": (
        lambda lines, k: lines.__setitem__(
            1, lines[1] + (' note="a = b"', " flag", " ü='é'")[k % 3]
        ),
        True,
    ),
    "space before": (lambda lines, _: lines.__setitem__(0, f"  {lines[0]}  "), True),
}


@cases(120)
@given(
    count=st.integers(2, 6),
    n_atoms=st.integers(1, 4),
    damages=st.dictionaries(
        st.integers(0, 5),
        st.tuples(st.sampled_from(sorted(STRUCTURE)), st.integers(0, 40)),
        max_size=3,
    ),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    encoding=st.sampled_from(["utf-8", "utf-8", "latin-1"]),
)
def test_damaged_structure_of_a_trajectory(tmp_path, count, n_atoms, damages, end, encoding):
    """All frames come out as written, or one line: never fewer frames, never other values."""
    texts, frames = written(count, n_atoms, seed=count)
    damages = {place: damage for place, damage in damages.items() if place < count}
    for place, (name, detail) in damages.items():
        STRUCTURE[name][0](texts[place], detail)
    path = tmp_path / "a.xyz"
    text = end.join(line for lines in texts for line in lines) + end
    path.write_bytes(text.encode(encoding, errors="replace"))
    found = one_line_or_success(read_frames, path)
    if found is None:
        assert damages
        return
    assert len(found) == count
    for ours, theirs in zip(found, frames, strict=True):
        assert energy_of(ours) == energy_of(theirs)
        np.testing.assert_allclose(ours.positions, theirs.positions, atol=1e-8)
        np.testing.assert_array_equal(ours.numbers, theirs.numbers)
    if encoding == "utf-8":
        assert all(STRUCTURE[name][1] for name, _ in damages.values())


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("forces:R:3", "forces:R:999999999999", "cannot be read .a property has 100,000 columns"),
        ('Lattice="3.6 ', 'Lattice="1e9 ', "a coordinate or the cell is 1e[+]09 Å"),
        ('Lattice="3.6 ', 'Lattice="1e-5 ', "cell of 1e-05 Å, in which each atom meets its own"),
    ],
)
def test_values_that_would_crash_the_reader(tmp_path, old, new, words):
    """They fill the memory, or end the process, in the libraries below."""
    path = tmp_path / "a.extxyz"
    assert old in VALID
    path.write_text(VALID.replace(old, new))
    with pytest.raises(DataError, match=f"frame 0: {words}"):
        read_frames(path)


VALUE = st.one_of(
    st.text(max_size=12), st.floats().map(str), st.integers().map(str), TOKENS, st.just("T F T")
)
KEY = st.sampled_from(["energy", "Lattice", "pbc", "run", "frame", "Properties", "stress", "x"])


def test_trajectory_of_odd_comments(tmp_path):
    """Some are read, some refused; and none is read as another number of frames."""
    path = tmp_path / "a.extxyz"
    outcomes = set()

    @cases(100)
    @given(
        odd=st.dictionaries(st.integers(0, 9), st.tuples(KEY, VALUE), max_size=3),
        count=st.sampled_from(["1", "1", "1", "0", "2", "-1", "1e3", "one"]),
    )
    def check(odd, count):
        comments = [{"Lattice": "4 0 0 0 4 0 0 0 4", "energy": f"{k}.5"} for k in range(10)]
        for place, (key, value) in odd.items():
            comments[place][key] = value
        texts = [" ".join(f'{k}="{v}"' for k, v in c.items()) for c in comments]
        frames = [
            f"{count}\n{' '.join(c.split())}\nCu {k}.0 0.0 0.0\n" for k, c in enumerate(texts)
        ]
        path.write_text("".join(frames), encoding="utf-8", errors="replace")
        found = one_line_or_success(read_frames, path)
        outcomes.add(found is None)
        if found is not None:
            assert len(found) == 10
            assert_checked(found)

    check()
    assert outcomes == {True, False}


@cases(100)
@given(data=st.binary(max_size=300), suffix=st.sampled_from([".extxyz", ".xyz", ".gz", ".xz", ""]))
def test_trajectory_of_any_bytes(tmp_path, data, suffix):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(data)
    one_line_or_success(read_frames, path)


@pytest.fixture(scope="module")
def config():
    return default_config()


LEAF = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["d2-surrogate", "sevennet-0", "../x", "a" * 300, "/", "\x00", "$(ls)"]),
)
ANYTHING = st.recursive(
    LEAF,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.one_of(st.text(max_size=5), st.integers(), st.none()), inner, max_size=3
        ),
    ),
    max_leaves=5,
)


def changed(config, steps, key, value):
    """A copy in which one entry, some steps down, is another or new."""
    config = place = copy.deepcopy(config)
    for step in steps:
        keys = list(place)
        inner = place[keys[step % len(keys)]] if isinstance(place, dict) and keys else None
        if not isinstance(inner, dict):
            break
        place = inner
    keys = list(place)
    if isinstance(key, int) and keys:
        key = keys[key % len(keys)]
    place[key] = value
    return config


SCHEMA = StudyConfig.model_json_schema()


@cases(150)
@given(
    steps=st.lists(st.integers(0, 50), max_size=4),
    key=st.one_of(st.integers(0, 50), st.text(max_size=6), st.none()),
    value=ANYTHING,
)
def test_any_change_of_the_configuration(config, steps, key, value):
    new = changed(config, steps, key, value)
    checked = one_line_or_success(check_config, new)
    if checked is not None:
        jsonschema.validate(new, SCHEMA)  # editors mark no mistake where there is none
        one_line_or_success(check_sources, checked)


SHIPPED = (ROOT / "config/config.yaml").read_text()
PIECES = st.one_of(
    st.sampled_from(["&a ", "*a", "<<: *a", "{", "}", "[", "]", "? ", "- ", "--- ", "# ", "|\n"]),
    st.sampled_from(["!!python/object:os.system", "!!set", "!!binary", "!x ", "%YAML 1.1\n---\n"]),
    st.sampled_from(["0x_", "1:60", ".nan", "-.inf", "2020-13-01", "1e30", "~", "'", '"', "  "]),
    st.sampled_from(["\nstudy: {}\n", "every: 3\n  every: 4", "\n...\n"]),
    st.sampled_from(["\t", "\r", "\x00", "\x07", "\ufeff"]),
    st.text(max_size=8),
)


@cases(200)
@given(
    damages=st.lists(
        st.one_of(
            st.tuples(st.just("insert"), st.integers(0, 10**4), PIECES),
            st.tuples(st.just("replace"), st.integers(0, 10**4), PIECES),
            st.tuples(st.just("cut"), st.integers(0, 10**4), st.integers(1, 40)),
        ),
        min_size=1,
        max_size=4,
    ),
)
def test_damaged_file_of_the_configuration(config, tmp_path, damages):
    """Read as YAML reads it, or refused; and then checked as a whole."""
    path = tmp_path / "config.yaml"
    text = damaged(SHIPPED, damages)
    path.write_text(text, encoding="utf-8", errors="replace")
    read = one_line_or_success(read_yaml, path)
    if read is not None:
        # `.nan` is unequal to itself, but written as it was read.
        assert repr(read) == repr(yaml.safe_load(path.read_text(encoding="utf-8-sig")))
        one_line_or_success(check_config, config | read)


@cases(150)
@given(
    entry=st.dictionaries(
        st.sampled_from(["family", "layers", "options", "weights", "title", "x"]), ANYTHING
    ),
    text=st.one_of(st.none(), st.text(max_size=60)),
)
def test_any_registry_of_backbones(tmp_path, entry, text):
    path = tmp_path / "backbones.yaml"
    path.write_text(
        yaml.safe_dump({"backbones": {"b": entry}}) if text is None else text,
        encoding="utf-8",
        errors="replace",
    )
    found = one_line_or_success(registered, path)
    if found is not None and "b" in found:
        assert found["b"].given() == entry


PLACE = st.floats(0, 1, exclude_max=True)
PLACES = st.lists(st.tuples(PLACE, st.integers(0, 255)), min_size=0, max_size=5)


@pytest.fixture(scope="module")
def intact(tmp_path_factory):
    """A whole file of each kind that is read back, with its reader."""
    folder = tmp_path_factory.mktemp("intact")
    identity = {"data": "a", "network": "b"}
    state = {"weights": torch.arange(40.0), "history": [{"epoch": 1, "rmse": 0.5}]}
    write_checkpoint(folder / "checkpoint", identity, state)
    write_tensors(folder / "tensors", {"a": np.arange(12.0).reshape(3, 4)}, {"what": "test"})
    (folder / "record").write_text(record_text({"size": 1, "sha256": "0", "inputs": {}}))

    def record(path):
        place = record_path("results/x")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(path.read_bytes())
        read_record("results/x")

    readers = {
        "checkpoint": lambda path: read_checkpoint(path, identity),
        "tensors": lambda path: TensorFile(path).read("a").sum(),
        "record": record,
    }
    return {name: ((folder / name).read_bytes(), read) for name, read in readers.items()}


@cases(250)
@given(
    kind=st.sampled_from(["checkpoint", "tensors", "record"]),
    end=st.floats(0, 1),
    places=PLACES,
)
def test_damaged_file_of_ours(intact, tmp_path, monkeypatch, kind, end, places):
    monkeypatch.chdir(tmp_path)
    whole, read = intact[kind]
    data = bytearray(whole[: round(end * len(whole))] if not places else whole)
    for place, byte in places:
        data[int(place * len(data))] = byte
    path = tmp_path / kind
    path.write_bytes(data)
    one_line_or_success(read, path)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Model files of each kind, also of format 1, and what their models predict."""
    folder = tmp_path_factory.mktemp("models")
    paths = small_models(folder)
    for name, path in list(paths.items()):
        paths[f"{name} 1"] = folder / f"{name}-1"
        as_format_1(path, paths[f"{name} 1"])
    paths["sparse"] = small_sparse_model(folder)
    return {name: (path, predictions(load_model(path))) for name, path in paths.items()}


@cases(200)
@given(
    kind=st.sampled_from(["features", "kernel", "sparse"]),
    damages=st.lists(
        st.one_of(
            st.tuples(st.just("flip"), PLACE, st.integers(0, 7)),
            st.tuples(st.just("write"), PLACE, st.binary(max_size=9)),
            st.tuples(st.just("insert"), PLACE, st.binary(max_size=9)),
            st.tuples(st.just("cut"), PLACE, st.integers(1, 40)),
            st.tuples(st.just("end"), PLACE, st.none()),
        ),
        max_size=3,
    ),
)
def test_damaged_model(models, tmp_path, kind, damages):
    """The same predictions to the last bit, or an error: never another number."""
    path, expected = models[kind]
    data = bytearray(path.read_bytes())
    for what, place, detail in damages:
        place = int(place * len(data))
        if what == "flip":
            data[place : place + 1] = (byte ^ 1 << detail for byte in data[place : place + 1])
        else:
            new = detail if isinstance(detail, bytes) else b""
            length = {"write": len(new), "insert": 0, "cut": detail, "end": len(data)}[what]
            data[place : place + length] = new
    (tmp_path / "m").write_bytes(data)
    model = one_line_or_success(load_model, tmp_path / "m")
    if model is None:
        assert damages
    else:
        np.testing.assert_array_equal(predictions(model), expected)


NUMBER = st.one_of(
    st.sampled_from([0, -1, 1, 0.5, 50, 1e-300, 1e300, -0.0, 10**25, 10**400]), st.floats()
)
FIELD = st.one_of(
    NUMBER,
    ANYTHING,
    st.sampled_from(["gaussian", "linear", "precomputed", "delta", "frames", "features", "kernel"]),
    st.sampled_from(["\x1b[31m", "/dev/zero", "a" * 20_000, {"Cu": 1.0}, {"species": ["Cu"]}]),
    st.integers(1, 3000).map(lambda depth: json.loads("[" * (depth % 900) + "]" * (depth % 900))),
)
ARRAY = st.one_of(
    st.tuples(
        st.just("value"),
        st.tuples(st.floats(), st.integers(-(2**63), 2**63 - 1)),
        st.integers(0, 99),
    ),
    st.tuples(
        st.just("type"),
        st.sampled_from(["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u8", "?"]),
        st.none(),
    ),
    st.tuples(st.just("shape"), st.sampled_from(["cut", "flat", "more", "none", "T"]), st.none()),
    st.tuples(st.just("name"), st.text(min_size=1, max_size=8), st.none()),
    st.tuples(st.just("missing"), st.none(), st.none()),
)
SHAPES = {
    "cut": lambda tensor: tensor[1:],
    "flat": np.ravel,
    "more": lambda tensor: np.concatenate([tensor, tensor]),
    "none": lambda tensor: tensor[:0],
    "T": lambda tensor: tensor[None],
}


def with_array(tensors, name, damage):
    """Tensors of which one is changed, renamed or left out."""
    kind, what, place = damage
    tensors = dict(tensors)
    tensor = tensors.pop(name)
    if kind == "missing":
        return tensors
    with np.errstate(all="ignore"):
        if kind == "value" and tensor.size:
            tensor = tensor.copy()
            tensor.flat[place % tensor.size] = what[tensor.dtype.kind == "i"]
        elif kind == "type":
            tensor = tensor.astype(what)
        elif kind == "shape":
            tensor = SHAPES[what](tensor)
    return tensors | {what if kind == "name" else name: tensor}


@cases(150)
@given(
    kind=st.sampled_from(["features", "kernel", "features 1", "kernel 1", "sparse", "sparse"]),
    fields=st.lists(
        st.tuples(
            st.lists(st.integers(0, 50), max_size=3),
            st.one_of(st.integers(0, 50), st.text(max_size=6)),
            FIELD,
        ),
        max_size=2,
    ),
    missing=st.lists(st.integers(0, 50), max_size=3),
    arrays=st.lists(st.tuples(st.integers(0, 9), ARRAY), max_size=2),
)
def test_any_change_of_a_model(models, tmp_path, kind, fields, missing, arrays):
    """With a right checksum: one line, or a model that predicts, is told of and saved again."""
    path, expected = models[kind]
    record, tensors = record_of(path), tensors_of(path)
    sealed = "sha256" in record
    for steps, key, value in fields:
        record = changed(record, steps, key, value)
    if missing:
        record = without(record, missing)
    for place, damage in arrays:
        if tensors:
            tensors = with_array(tensors, sorted(tensors)[place % len(tensors)], damage)
    tensors = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
    if sealed:
        seal(tmp_path / "m", record, tensors)
    else:
        save_file(tensors, tmp_path / "m", {"mekrr": json.dumps(record)})
    model = one_line_or_success(load_model, tmp_path / "m")
    if model is None:
        assert fields or missing or arrays
        return
    assert summary(model).replace("\n", "").isprintable()
    model.save(tmp_path / "again")
    with np.errstate(all="ignore"):
        of_frames = model.input_ == "frames" and kind != "sparse"
        found = None if of_frames else one_line_or_success(predictions, model)
        if found is not None:
            again = predictions(load_model(tmp_path / "again"))
            np.testing.assert_array_equal(again, found)
            if not (fields or missing or arrays):
                np.testing.assert_array_equal(found, expected)


def without(config, steps):
    """A copy without one entry, some steps down."""
    config = place = copy.deepcopy(config)
    for step in steps[:-1]:
        inner = place[list(place)[step % len(place)]] if place else None
        if not isinstance(inner, dict):
            break
        place = inner
    if place:
        del place[list(place)[steps[-1] % len(place)]]
    return config


@pytest.fixture(scope="module")
def packed():
    """An archive of each kind that tests its content by checksums, and that content."""
    body = VALID.encode()[:3000]
    members = {"a/val.extxyz": b"x" * 700, "a/train.extxyz": body}
    archives = {}
    for kind in ("gz", "bz2", "xz"):
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode=f"w:{kind}") as file:
            for name, content in members.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                file.addfile(entry, io.BytesIO(content))
        archives[kind] = stream.getvalue()
    for kind, method in {"zip": zipfile.ZIP_DEFLATED, "stored": zipfile.ZIP_STORED}.items():
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", method) as file:
            for name, content in members.items():
                file.writestr(name, content)
        archives[kind] = stream.getvalue()
    return archives, body


@cases(250)
@given(
    kind=st.sampled_from(["gz", "bz2", "xz", "zip", "stored"]),
    end=st.floats(0, 1),
    places=PLACES,
    more=st.binary(max_size=20),
)
def test_damaged_archive(packed, tmp_path, kind, end, places, more):
    """The exact content, or an error: never another content."""
    archives, body = packed
    whole = archives[kind]
    data = bytearray(whole if places or more else whole[: round(end * len(whole))])
    for place, byte in places:
        data[int(place * len(data))] = byte
    path, target = tmp_path / "archive", tmp_path / "out"
    target.unlink(missing_ok=True)
    path.write_bytes(data + more)

    def extract():
        extract_member(path, "train.extxyz", target)
        return target.read_bytes()

    assert one_line_or_success(extract) in (None, body)
    assert target.exists() == (one_line_or_success(extract) is not None)
