"""What no schema can say of a configuration; each rule raises a ConfigError of one line."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Container, Iterator, Mapping
from itertools import pairwise

from mekrr.errors import ConfigError, printable
from mekrr.sources import download_key, in_parts, member_file
from mekrr.study.tables.printing.escapes import CONTROL

TRAINABLE = ("chgnet", "schnet", "sevennet")  # families of backbones that can be fine-tuned
# Families of backbones that need a file of weights, and those that may have one.
WITH_WEIGHTS = ("mace", "schnet")
PERHAPS_WITH_WEIGHTS = (*WITH_WEIGHTS, "fairchem")
LARGEST = 2**31 - 2  # integer that everything here can count to


def require_finite(config: Mapping) -> None:
    """Refuse numbers that no setting can mean, wherever they stand."""
    for key, value in _walk(config):
        if isinstance(value, float) and not math.isfinite(value):
            raise ConfigError(f"{printable(key)}: {value} is no finite number; correct it")
        if isinstance(value, int) and abs(value) > LARGEST:
            raise ConfigError(f"{printable(key)}: is beyond ±{LARGEST}; correct it")


def require_no_control(config: Mapping) -> None:
    """Refuse a key or text with a control character, wherever it stands.

    Titles, names and paths go into tables, figures, logs and terminals, each of which reads
    line breaks, escape sequences or changes of direction in its own way.
    """
    for key, value in _walk(config):
        for text in map(str, value) if isinstance(value, Mapping) else [value]:
            if isinstance(text, str) and (found := CONTROL.search(text)):
                raise ConfigError(
                    f"{key or 'config'}: {printable(text[:80])!r} holds the control character "
                    f"{printable(found[0])} (U+{ord(found[0]):04X}); remove it"
                )


def _walk(value: object, key: str = "") -> Iterator[tuple[str, object]]:
    """Every entry of a configuration under its full key, what holds others before them."""
    yield key, value
    if isinstance(value, Mapping):
        inner = value.items()
    else:
        inner = enumerate(value) if isinstance(value, (list, tuple)) else ()
    for name, entry in inner:
        yield from _walk(entry, f"{key}.{name}" if key else str(name))


def check_rules(config: Mapping, symbols: Container[str]) -> None:
    """Raise a ConfigError for the first fault of a configuration that fits the schemas.

    ``symbols`` are those of the elements.
    """
    _check_references(config)
    for name, entry in config["datasets"].items():
        _check_dataset(f"datasets.{name}", entry)
    for name, entry in config["backbones"].items():
        _check_backbone(f"backbones.{name}", entry)
    for name, entry in config["networks"].items():
        if name in config["backbones"]:
            raise ConfigError(f"networks.{name}: is the name of a backbone too; rename one")
        _check_network(f"networks.{name}", entry, config["backbones"])
    for name, entry in config["surrogates"].items():
        _check_surrogate(f"surrogates.{name}", entry, symbols)
    _check_downloads(config)
    _check_own_labels(config)
    _check_splits(config)
    _check_transfers(config)
    total = sum(config["split"]["fractions"].values())
    if abs(total - 1.0) > 1e-9:
        raise ConfigError(f"split.fractions: train + val + test = {total:g}; they must sum to 1")
    bounds = config["grid"]["regularisation"]
    if bounds["smallest"] > bounds["largest"]:
        raise ConfigError("grid.regularisation: smallest is above largest; exchange them")


def _check_references(config: Mapping) -> None:
    """Refuse names of entries that no registry has."""
    study = config["study"]
    lists = [(f"study.{name}", study[name], name) for name in ("datasets", "backbones", "networks")]
    of_pairs = [name for pair in study["transfer"] for name in pair]
    lists.append(("study.transfer", of_pairs, "datasets"))
    for part in ("learning", "ablation", "heatmap"):
        lists.append((f"{part}.skip", config[part]["skip"], "datasets"))
    for key, names, registry in lists:
        for name in names:
            _require_known(key, name, config[registry], registry)


def _check_dataset(key: str, entry: Mapping) -> None:
    if ("path" in entry) == ("download" in entry):
        raise ConfigError(f"{key}: give either `path` or `download`")
    if "sha256" in entry and isinstance(entry.get("path"), dict):
        raise ConfigError(f"{key}.sha256: checks one file, `path` names several")
    for where, files in _files_of(entry):
        parts = in_parts(files)
        if len(set(parts)) < len(parts):
            raise ConfigError(f"{key}.{where}: two parts are the same file; name one for each")
    if "energy_range" in entry:
        _require_rising(f"{key}.energy_range", entry["energy_range"])
    if "frames" in entry.get("stretch", {}):
        _require_rising(f"{key}.stretch.frames", entry["stretch"]["frames"])
    if "runs" in entry:
        _require_rising(f"{key}.runs", entry["runs"])
        if entry["runs"][0] != 0:
            raise ConfigError(f"{key}.runs: the first run begins with frame 0; add it")


def _require_rising(key: str, numbers: list) -> None:
    if any(first >= second for first, second in pairwise(numbers)):
        raise ConfigError(f"{key}: {numbers}: must rise; put them in order, each once")


def _check_backbone(key: str, entry: Mapping) -> None:
    family = entry["family"]
    weights, options = entry.get("weights"), entry.get("options", {})
    if weights is not None and ("path" in weights) == ("download" in weights):
        raise ConfigError(f"{key}.weights: give either `path` or `download`")
    if weights is None and family in WITH_WEIGHTS:
        raise ConfigError(f"{key}: key `weights` is missing, which family {family} needs; add it")
    if weights is not None and family not in PERHAPS_WITH_WEIGHTS:
        raise ConfigError(f"{key}.weights: family {family} takes none; remove it")
    if family == "fairchem" and (weights is None) == ("model" not in options):
        raise ConfigError(f"{key}: give either `weights` or `options.model`")
    if family == "soap" and not options:
        raise ConfigError(f"{key}: key `options` is missing, which family soap needs; add it")
    if entry["heatmap_layer"] not in entry["layers"]:
        raise ConfigError(
            f"{key}.heatmap_layer: {entry['heatmap_layer']} is none of `layers`; choose one of them"
        )


def _check_surrogate(key: str, entry: Mapping, symbols: Container[str]) -> None:
    system = entry["system"]
    for start, offsets in entry["starts"].items():
        n_atoms = _n_atoms(system["adsorbate"], f"{key}.system.adsorbate", symbols)
        if len(offsets) != n_atoms:
            raise ConfigError(
                f"{key}.starts.{start}: {len(offsets)} positions for {system['adsorbate']}, which "
                f"has {n_atoms} atoms; give one for each"
            )
    for index, run in enumerate(entry["runs"]):
        _require_known(f"{key}.runs.{index}.start", run["start"], entry["starts"], "starts")
    if system["fixed_layers"] > system["size"][2]:
        raise ConfigError(f"{key}.system.fixed_layers: the slab has {system['size'][2]} only")
    hills = entry.get("biases", {}).get("metadynamics")
    if hills and len(hills["widths"]) != len(hills["variables"]):
        raise ConfigError(f"{key}.biases.metadynamics.widths: give one for each of `variables`")


def _n_atoms(formula: str, key: str, symbols: Container[str]) -> int:
    """Number of atoms in a formula such as COOH."""
    parts = re.findall(r"([A-Z][a-z]?)([0-9]{0,3})", formula)
    written = "".join(symbol + count for symbol, count in parts)
    if written != formula or any(symbol not in symbols for symbol, _ in parts):
        raise ConfigError(f"{key}: {formula!r} is no formula; write it as COOH or N2")
    return sum(int(count or 1) for _, count in parts)


def _check_downloads(config: Mapping) -> None:
    """Refuse downloads that would be kept as files which something else is kept as."""
    members: dict[tuple[str, str], str] = {}
    for registry, inside in (("datasets", ""), ("backbones", ".weights")):
        for name, entry in config[registry].items():
            download = (entry.get("weights", {}) if inside else entry).get("download")
            if download is None:
                continue
            key = f"{registry}.{name}{inside}.download"
            file = download["file"]
            if file == "members" or file.endswith((".part", ".part.version", ".sha256")):
                raise ConfigError(f"{key}.file: {file!r} is kept for other things; rename it")
            for member in in_parts(download.get("member", {})):
                kept = download_key(download), member_file(member)
                other = members.setdefault(kept, member)
                if other != member:
                    raise ConfigError(
                        f"{key}.member: {member!r} and {other!r} would both be kept as {kept[1]}; "
                        "unpack them by hand and give `path`"
                    )


def _files_of(entry: Mapping) -> Iterator[tuple[str, str | dict]]:
    if "path" in entry:
        yield "path", entry["path"]
    if "member" in entry.get("download", {}):
        yield "download.member", entry["download"]["member"]


def _check_own_labels(config: Mapping) -> None:
    for name in config["study"]["backbones"]:
        made = [d for d in config["study"]["datasets"] if d in config["surrogates"]]
        if config["backbones"][name]["family"] == "diep" and made:
            raise ConfigError(
                f"study.backbones: {name}: DIEP made the labels of {made[0]} and would be judged "
                "by itself; leave one of them out"
            )


def _check_splits(config: Mapping) -> None:
    """Refuse ways of splitting that a data set is not made for."""
    wanted = [("study.splits", config["study"]["splits"], [])]
    for part in ("ablation", "heatmap"):
        wanted.append((f"{part}.split", [config[part]["split"]], config[part]["skip"]))
    for key, splits, skipped in wanted:
        for name in (d for d in config["study"]["datasets"] if d not in skipped):
            entry = config["datasets"][name]
            if "sequential" in splits and not entry.get("time_ordered", True):
                raise ConfigError(
                    f"{key}: sequential, but datasets.{name}.time_ordered is false; "
                    "leave one of them out"
                )
            divided = any(isinstance(files, dict) for _, files in _files_of(entry))
            if "published" in splits and not divided:
                raise ConfigError(
                    f"{key}: published, but datasets.{name} does not come divided into train, val "
                    "and test; leave one of them out"
                )


def _check_transfers(config: Mapping) -> None:
    """Refuse a transfer from frames to the same frames."""
    for source, target in config["study"]["transfer"]:
        first, second = (
            {key: config["datasets"][name].get(key) for key in ("path", "download")}
            for name in (source, target)
        )
        if first == second:
            raise ConfigError(
                f"study.transfer: {source} and {target} are the same file, and a test on frames "
                "that were trained on tells nothing; leave the pair out"
            )


def _check_network(key: str, entry: dict, backbones: dict) -> None:
    start = entry["start"]
    needed, out_of_place = "frozen", "architecture"
    if start == "scratch":
        needed, out_of_place = out_of_place, needed
    elif start not in backbones:
        raise ConfigError(
            f"{key}.start: {start!r} is neither scratch nor in the registry `backbones`"
            f"{suggestion(start, backbones)}"
        )
    elif backbones[start]["family"] not in TRAINABLE:
        raise ConfigError(
            f"{key}.start: {start!r} is of family {backbones[start]['family']}, which cannot be "
            f"trained; those that can: {', '.join(TRAINABLE)}"
        )
    if needed not in entry or out_of_place in entry:
        raise ConfigError(f"{key}: with start {start!r} give `{needed}`, not `{out_of_place}`")


def _require_known(key: str, name: str, entries: dict, registry: str) -> None:
    if name not in entries:
        known = ", ".join(sorted(entries))
        raise ConfigError(
            f"{key}: {name!r} is not in the registry `{registry}`"
            f"{suggestion(name, entries)}; known: {known}"
        )


def suggestion(name: str, known: object) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f", did you mean {close[0]!r}?" if close else ""
