"""Model files: what is damaged, inconsistent or hostile is one line; the rest is bit-equal."""

import json
import os
from functools import partial

import numpy as np
import pytest
import torch
import yaml
from model_files import (
    ZEROS,
    as_format_1,
    checksum,
    predictions,
    record_of,
    seal,
    small_models,
    tensors_of,
)
from safetensors.numpy import save_file
from safetensors.torch import save_file as save_torch
from samples import ROOT, labelled

from mekrr import MEKRR
from mekrr.cli import main
from mekrr.errors import BackboneError, CompositionWarning, ModelFileError
from mekrr.features.store import FrameFeatures
from mekrr.models.file import FORMAT, LARGEST_RECORD, read_model, write_model
from mekrr.models.network.fit import NetworkRecord

NAN, INF = float("nan"), float("inf")
HOSTILE = "\x1b]0;owned\x07\x1b[31m\u202e\x9b"


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return small_models(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def of_frames(tmp_path_factory):
    """A model of frames, and the registry of its backbone."""
    folder = tmp_path_factory.mktemp("frames")
    registry = folder / "mine.yaml"
    entry = {"family": "analytic", "layers": [1, 2], "options": {}}
    registry.write_text(yaml.safe_dump({"backbones": {"mine": entry}}))
    model = MEKRR("mine", layer=1, regularisation=1e-6, registry=registry)
    model.fit(labelled(4)).save(folder / "model")
    return folder / "model", registry


def refused(path, words):
    """The one line that names the file, the fault and what to do."""
    with pytest.raises(ModelFileError, match=words) as error:
        MEKRR.load(path)
    message = str(error.value)
    assert message.startswith(f"{path}: ")
    assert message.isprintable()
    assert len(message) < len(str(path)) + 500
    assert any(remedy in message for remedy in ("restore it or fit again", "give the", "update"))


def changed(record, place, value):
    """The record with one field, by the names on the way to it, of another value."""
    *way, last = place.split(".")
    inner = record
    for key in way:
        inner = inner[key]
    if value is KeyError:
        del inner[last]
    else:
        inner[last] = value
    return record


def test_checksum_is_that_of_the_content(models):
    for path in models.values():
        record = record_of(path)
        assert record["format"] == FORMAT == 5
        text = json.dumps(record).replace(record["sha256"], ZEROS)
        assert record["sha256"] == checksum(text, tensors_of(path))


def test_what_was_sealed_alike_is_the_same_model(models, tmp_path):
    for path in models.values():
        seal(tmp_path / "m", record_of(path), tensors_of(path))
        expected = predictions(MEKRR.load(path))
        np.testing.assert_array_equal(predictions(MEKRR.load(tmp_path / "m")), expected)


def test_every_flipped_bit_is_found(models, tmp_path, rng):
    """Of header, record and tensors, some hundred of each, drawn at random."""
    whole = models["features"].read_bytes()
    header = 8 + int.from_bytes(whole[:8], "little")
    places = [*range(64), *rng.integers(64, 8 * header, 150)]
    places += [*rng.integers(8 * header, 8 * len(whole), 150)]
    for place in places:
        data = bytearray(whole)
        data[place // 8] ^= 1 << place % 8
        (tmp_path / "m").write_bytes(data)
        with pytest.raises(ModelFileError):
            MEKRR.load(tmp_path / "m")


def test_every_end_is_found(models, tmp_path, rng):
    whole = models["features"].read_bytes()
    for end in [0, 1, 7, 8, 9, len(whole) - 1, *rng.integers(0, len(whole), 40)]:
        (tmp_path / "m").write_bytes(whole[:end])
        refused(tmp_path / "m", "damaged model file")
    (tmp_path / "m").write_bytes(whole + b"\0")
    refused(tmp_path / "m", "damaged model file")


RECORDS = [
    ("parameters.alpha", 50, "parameters.alpha: Input should be less than or equal to 1"),
    ("parameters.alpha", NAN, "parameters.alpha: Input should be .*finite"),
    ("parameters.alpha", True, "parameters.alpha: Input should be a valid number"),
    ("parameters.alpha", "0.3", "parameters.alpha: Input should be a valid number"),
    ("parameters.alpha", KeyError, "parameters.alpha: Field required"),
    ("parameters.layer", 1.0, "parameters.layer: Input should be a valid integer"),
    ("parameters.layer", -1, "parameters.layer: Input should be greater"),
    ("parameters.threads", 0, "parameters.threads: Input should be greater"),
    ("parameters.threads", 10**9, "parameters.threads: Input should be less"),
    ("parameters.layer", 10**9, "parameters.layer: Input should be less"),
    ("parameters.threads", None, "parameters.threads"),
    ("parameters.kernel", "cubic", "parameters.kernel: Input should be 'gaussian'"),
    ("parameters.kernel", "precomputed", "parameters.kernel precomputed does not fit"),
    ("parameters.kernel", "linear", "lengthscale_ is not null in a model of features, linear"),
    ("parameters.target", "forces", "parameters.target: Input should be 'energy' or 'delta'"),
    ("parameters.target", "delta", "parameters.target delta does not fit"),
    ("parameters.lengthscale", "mean", "parameters.lengthscale"),
    ("parameters.lengthscale", 0.0, "parameters.lengthscale"),
    ("parameters.regularisation", -1e-6, "parameters.regularisation"),
    ("parameters.reference_energy", "best", "parameters.reference_energy"),
    ("parameters.reference_energy", {"Xx": 1.0}, "parameters.reference_energy"),
    ("parameters.reference_energy", {"Cu": INF}, "parameters.reference_energy"),
    ("parameters.atoms", {"species": ["Unobtainium"]}, "parameters.atoms"),
    ("parameters.atoms", {"within": -1.0, "of": ["Cu"]}, "parameters.atoms"),
    ("parameters.atoms", [[[]]], "parameters.atoms"),
    ("parameters.registry", 7, "parameters.registry: Input should be a valid string"),
    ("parameters.backbone", "b" * 20_000, "parameters.backbone: .* at most 10000 characters"),
    ("parameters.warm", 1, "parameters.warm: Extra inputs are not permitted"),
    ("parameters", [], "parameters: Input should be an object"),
    ("fitted.input_", "frames", "fitted.layer_ is missing in a model of frames"),
    ("fitted.input_", "kernel", "does not fit fitted.input_"),
    ("fitted.alpha_", None, "fitted.alpha_ is missing"),
    ("fitted.alpha_", -0.1, "fitted.alpha_: Input should be greater"),
    ("fitted.lengthscale_", None, "fitted.lengthscale_ is missing"),
    ("fitted.lengthscale_", -1.0, "fitted.lengthscale_: Input should be greater than 0"),
    ("fitted.lengthscale_", 1e-300, "features has values of more than 1e[+]18 lengthscales"),
    ("fitted.layer_", 1, "fitted.layer_ is not null in a model of features"),
    ("fitted.references_", {"Cu": -1.0}, "fitted.references_ lacks O"),
    ("fitted.references_", {"Cu": NAN, "O": 1.0}, "fitted.references_.Cu: .* finite"),
    ("fitted.references_", {"Qq": 0.0, "Cu": 0.0, "O": 0.0}, "Qq.*: is no chemical element"),
    ("fitted.references_", {}, "fitted.references_"),
    ("fitted.reference_record.rule", "best", "reference_record.rule: Input should be 'least"),
    ("fitted.reference_record.scale", -1.0, "reference_record.scale: Input should be greater"),
    ("fitted.reference_record.anchored", 1, "reference_record.anchored"),
    ("fitted.reference_record.compositions", [], "reference_record.compositions: .* at least 1"),
    ("fitted.reference_record.compositions", ["Cu2(("], "compositions.0: is no chemical formula"),
    ("fitted.reference_record.compositions", ["Cu" * 9 + "Q"], "0: is no chemical element"),
    ("fitted.reference_record.compositions", ["Cu999999999"], "0: is no chemical formula"),
    ("fitted.reference_record.compositions", ["CuO", "H2O"], "fitted.references_ lacks H"),
    ("fitted.criterion_", ["x"], "fitted.criterion_"),
    ("fitted.provenance_", {"git": None}, "fitted.provenance_.git"),
    ("fitted.backbone_", {"name": "sevennet-0"}, "fitted.backbone_.family"),
    ("fitted", KeyError, "fitted: Field required"),
    ("ridge.scale_", 0.0, "ridge.scale_: Input should be greater than 0"),
    ("ridge.mean_", INF, "ridge.mean_"),
    ("ridge.mean_", 10**400, "ridge.mean_"),
    ("ridge.variance_", -1e-30, "ridge.variance_"),
    ("format", 0, "format: Input should be greater"),
    ("format", "2", "format: Input should be a valid integer"),
    ("format", KeyError, "format: Field required"),
    ("mekrr", 1, "mekrr: Input should be a valid string"),
    (HOSTILE, HOSTILE, "Extra inputs"),
    ("x" * 9999, 0, "xxx: Extra inputs"),
]


@pytest.mark.parametrize(("place", "value", "words"), RECORDS)
def test_record_that_the_schema_refuses(models, tmp_path, place, value, words):
    """Though its checksum is right."""
    path = models["features"]
    seal(tmp_path / "m", changed(record_of(path), place, value), tensors_of(path))
    refused(tmp_path / "m", f"damaged model file: .*{words}")


def put(value, place=0):
    def change(tensor):
        tensor = tensor.copy()
        tensor.flat[place] = value
        return tensor

    return change


TENSORS = [
    ("coefficients", put(NAN), "coefficients has values that are not finite"),
    ("coefficients", lambda c: c[:-1], "factor has shape"),
    ("coefficients", lambda c: c[None], "coefficients has shape"),
    ("coefficients", lambda c: c[:0], "coefficients has shape"),
    ("coefficients", partial(np.asarray, dtype=np.float32), "coefficients is float32, not float64"),
    ("coefficients", partial(np.asarray, dtype=np.int64), "coefficients is int64, not float64"),
    ("coefficients", partial(np.asarray, dtype=np.bool_), "coefficients is of type BOOL"),
    ("coefficients", lambda c: None, "it lacks tensor coefficients"),
    ("factor", put(-INF, 4), "factor has values that are not finite"),
    ("factor", put(0.0), "factor has a diagonal that is not positive"),
    ("factor", lambda f: f[:, 1:], "factor has shape"),
    ("leave_one_out", put(NAN), "leave_one_out has values that are not finite"),
    ("leave_one_out", put(INF), "leave_one_out has values that are not finite"),
    ("features", put(NAN), "features has values that are not finite"),
    ("features", put(-1e20), "features has values of more than 1e[+]18 lengthscales"),
    ("features", lambda f: f[1:], "species has shape"),
    ("features", lambda f: f[:, :0], "features has shape"),
    ("features", lambda f: f.view(np.int32), "features is int32"),
    ("species", put(0), "species has numbers that are no element's"),
    ("species", put(-29), "species has numbers that are no element's"),
    ("species", put(10**12), "species has numbers that are no element's"),
    ("species", put(6), "fitted.references_ lacks C"),
    ("species", partial(np.asarray, dtype=np.float64), "species is float64, not int32 or int64"),
    ("pointer", put(1), "pointer does not rise from 0 to 9"),
    ("pointer", put(0, 1), "pointer does not rise"),
    ("pointer", put(10**15, 2), "pointer does not rise"),
    ("pointer", put(8, -1), "pointer does not rise"),
    ("pointer", lambda p: p[[0, -1]], "pointer has 2 bounds of 4 frames"),
    ("more", lambda _: np.zeros(3), "it has an unknown tensor more"),
    (HOSTILE, lambda _: np.zeros(3), "it has an unknown tensor"),
]


@pytest.mark.parametrize(("name", "change", "words"), TENSORS)
def test_tensors_that_do_not_fit(models, tmp_path, name, change, words):
    path = models["features"]
    tensors = tensors_of(path)
    new = change(tensors.get(name))
    tensors = {k: v for k, v in tensors.items() if k != name}
    seal(tmp_path / "m", record_of(path), tensors if new is None else tensors | {name: new})
    refused(tmp_path / "m", f"damaged model file: .*{words}")


def test_tensors_of_types_that_numpy_lacks(models, tmp_path):
    tensors = {k: torch.from_numpy(v) for k, v in tensors_of(models["kernel"]).items()}
    tensors["coefficients"] = tensors["coefficients"].bfloat16()
    save_torch(tensors, tmp_path / "m", {"mekrr": json.dumps(record_of(models["kernel"]))})
    refused(tmp_path / "m", "tensor coefficients is of type BF16, which no model has")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[" * 10**6, "Invalid JSON: recursion limit"),
        ('{"a":' * 10**6 + "1" + "}" * 10**6, "Invalid JSON: recursion limit"),
        (" " * (LARGEST_RECORD + 1), "more than 16777216 characters"),
        ('{"format": 1' + "1" * 5000 + "}", "Invalid JSON: number out of range"),
        ("{}", "format: Field required"),
        ("[]", "should be an object"),
        ("null", "should be an object"),
        ("", "Invalid JSON"),
        ('"\\ud800"', "Invalid JSON"),
        (f'{{"format": "{HOSTILE}"}}', "Invalid JSON: control character"),
    ],
)
def test_records_that_are_no_record(models, tmp_path, text, words):
    seal(tmp_path / "m", text, tensors_of(models["kernel"]))
    refused(tmp_path / "m", words)


def test_format_1_has_no_checksum(models, of_frames, tmp_path):
    """It is read, by the same schema, and the path of a registry in it is passed over."""
    for path in (*models.values(), of_frames[0]):
        as_format_1(path, tmp_path / "m")
        model = MEKRR.load(tmp_path / "m")
        assert model.registry is None
        if path != of_frames[0]:
            np.testing.assert_array_equal(predictions(model), predictions(MEKRR.load(path)))
        record = record_of(tmp_path / "m") | {"format": 2}
        save_file(tensors_of(path), tmp_path / "m", {"mekrr": json.dumps(record)})
        refused(tmp_path / "m", "sha256, the checksum, is missing")


def test_newer_format_is_refused(models, tmp_path):
    """Whatever else it may hold."""
    for more in ({}, {"sha256": {"blake3": "…"}, "parameters": None, "new": 1}):
        record = {"format": FORMAT + 1, "mekrr": "9.0", **more}
        save_file(tensors_of(models["kernel"]), tmp_path / "m", {"mekrr": json.dumps(record)})
        refused(tmp_path / "m", r"format 6, written by mekrr 9\.0.*update mekrr")


@pytest.mark.parametrize("place", ["fifo", "folder", "/dev/zero", "absent", "a\0b", "a" * 300])
def test_places_without_a_model(tmp_path, place):
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "folder").mkdir()
    with pytest.raises(ModelFileError, match=r"no (such|regular) file; give|File name too long"):
        MEKRR.load(tmp_path / place)


def test_foreign_files(models, tmp_path):
    path = tmp_path / "m"
    save_file(tensors_of(models["kernel"]), path)
    refused(path, "is no model file of mekrr")
    save_file({"a": np.zeros(3)}, path, {"format": "pt"})
    refused(path, "is no model file of mekrr")
    for data in (b"", b"{}", b"\x80\x04N.", b"PK\x03\x04" * 9, b"\xff" * 64):
        path.write_bytes(data)
        refused(path, "damaged model file")


def test_registry_in_a_model_is_never_opened(of_frames, tmp_path):
    """A FIFO would hang whoever opens it."""
    path, registry = of_frames
    os.mkfifo(tmp_path / "fifo")
    record = changed(record_of(path), "parameters.registry", str(tmp_path / "fifo"))
    seal(tmp_path / "m", record, tensors_of(path))
    with pytest.raises(BackboneError, match=r"'mine' is none of .* give that of the fit"):
        MEKRR.load(tmp_path / "m").predict(labelled(2))
    expected = MEKRR.load(path, registry=registry).predict(labelled(2))
    found = MEKRR.load(tmp_path / "m", registry=registry).predict(labelled(2))
    np.testing.assert_array_equal(found, expected)


def test_texts_of_a_model_do_not_steer_a_terminal(of_frames, tmp_path, capsys):
    path, registry = of_frames
    record = record_of(path)
    fitted, parameters = record["fitted"], record["parameters"]
    fitted["criterion_"] = parameters["backbone"] = fitted["backbone_"]["family"] = HOSTILE
    parameters["regularisation"] = None  # so that the criterion is told
    fitted["provenance_"] = {HOSTILE: HOSTILE}
    fitted["backbone_"]["options"] = {HOSTILE: [HOSTILE, {HOSTILE: HOSTILE}]}
    fitted["backbone_"]["weights_sha256"] = HOSTILE
    seal(tmp_path / "m", record, tensors_of(path))
    main(["info", str(tmp_path / "m")])
    printed = capsys.readouterr().out
    assert "chosen by \\x1b]0;owned" in printed
    assert printed.replace("\n", "").isprintable()
    with pytest.raises(BackboneError) as error:
        MEKRR.load(tmp_path / "m", registry=registry).predict(labelled(2))
    assert str(error.value).isprintable()
    fitted["backbone_"]["name"] = HOSTILE
    seal(tmp_path / "m", record, tensors_of(path))
    with pytest.raises(BackboneError, match="none of the package's") as error:
        MEKRR.load(tmp_path / "m").predict(labelled(2))
    assert str(error.value).isprintable()


def test_threads_of_another_machine(models, tmp_path):
    record = changed(record_of(models["kernel"]), "parameters.threads", 1000)
    seal(tmp_path / "m", record, tensors_of(models["kernel"]))
    assert MEKRR.load(tmp_path / "m").threads <= os.cpu_count()


def test_what_could_not_be_read_is_not_written(models, tmp_path):
    for name, value, words in (
        ("alpha_", 2.0, "fitted.alpha_: Input should be less"),
        ("criterion_", {"Cu"}, "set is none of JSON's types"),
        ("criterion_", "c" * 20_000, "fitted.criterion_: .* at most 10000"),
    ):
        model = MEKRR.load(models["features"])
        setattr(model, name, value)
        with pytest.raises(ModelFileError, match=f"no model that could be read again: .*{words}"):
            model.save(tmp_path / "m")
    model = MEKRR.load(models["features"])
    model.ridge_.coefficients_ = model.ridge_.coefficients_ * NAN
    with pytest.raises(ModelFileError, match="coefficients has values that are not finite"):
        model.save(tmp_path / "m")
    assert not list(tmp_path.iterdir())


def test_numpy_values_among_the_parameters(tmp_path, ragged):
    """And species and pointers of any integer type."""
    narrow = FrameFeatures(
        ragged.features, ragged.species.astype("i1"), ragged.pointer.astype("i2")
    )
    model = MEKRR(
        alpha=np.float64(0.3),
        regularisation=np.float32(1e-6),
        layer=np.int64(1),
        reference_energy={s: np.float64(k) for k, s in enumerate(["H", "C", "O", "Cu"])},
    )
    model.fit(narrow, np.arange(6.0)).save(tmp_path / "m")
    again = MEKRR.load(tmp_path / "m")
    np.testing.assert_array_equal(predictions(again), predictions(model))


def test_networks_have_the_same_file_and_another_record(models, tmp_path):
    path = tmp_path / "network"
    record = {"network": "net", "scale": {"shift": -1.0, "factor": 2.0}, "epoch": 3, "dataset": "a"}
    write_model(path, {"weight": np.ones((2, 3), np.float32)}, record, NetworkRecord)
    _, found = read_model(path, NetworkRecord)
    assert (found.scale.shift, found.scale.factor, found.epoch) == (-1.0, 2.0, 3)
    refused(path, "parameters: Field required")
    with pytest.raises(ModelFileError, match="network: Field required"):
        read_model(models["kernel"], NetworkRecord)
    with pytest.raises(ModelFileError, match="weight has values that are not finite"):
        write_model(path, {"weight": np.array([NAN])}, record, NetworkRecord)
    with pytest.raises(ModelFileError, match="weight is of type bool, which no model has"):
        write_model(path, {"weight": np.array([True])}, record, NetworkRecord)
    with pytest.raises(ModelFileError, match=r"scale\.factor"):
        write_model(path, {}, record | {"scale": {"shift": 0.0, "factor": NAN}}, NetworkRecord)


def test_linear_kernels_of_format_2_stay_as_they_were():
    """They were neither centred nor scaled; numbers of the version that wrote the file."""
    model = MEKRR.load(ROOT / "tests/files/linear-format-2.safetensors")
    with pytest.warns(CompositionWarning, match="4 to 6 atoms"):
        energy, std = model.predict(model.train_, return_std=True)
    expected = [-398.01778219, -401.70126732, -600.13825689, -599.17153486, -398.71896381]
    np.testing.assert_allclose(energy, [*expected, -599.78478922], rtol=0, atol=1e-7)
    expected = [0.5778001, 0.57097665, 0.51034623, 0.57426604, 0.56487143, 0.55748501]
    np.testing.assert_allclose(std, expected, rtol=0, atol=1e-7)
