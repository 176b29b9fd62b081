"""Names in the configuration: what files and tables tell apart must stay apart in them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import permutations

from mekrr.errors import ConfigError
from mekrr.study.config.study import StudyConfig
from mekrr.study.methods import GAPS

OWN = ("training-mean", *GAPS)  # fits of the study that have no entry
# What pandas, which reads the tables, takes for a missing value or a truth value; "none" is
# besides what tables write where there is no backbone.
NO_TEXT = ("na", "nan", "none", "null", "true", "false")
# Endings of files that stand beside folders named by an entry.
ENDINGS = (
    *(".csv", ".extxyz", ".gz", ".html", ".log", ".md", ".pdf", ".png", ".pt"),
    *(".safetensors", ".svg", ".tex", ".tsv"),
)


def check_names(config: StudyConfig) -> None:
    """Raise a ConfigError of one line for the first name that could be taken for another."""
    study = config.study
    named = {"datasets": study.datasets, "backbones": study.backbones, "networks": study.networks}
    for key, names in named.items():
        for name in names:
            _require_text(f"study.{key}", name)
    for name in config.surrogates:
        _require_text("surrogates", name)
    _require_apart("surrogates", config.surrogates)
    _require_apart("study.datasets", study.datasets)
    _require_apart("study.backbones and study.networks", study.backbones + study.networks)
    for key in ("backbones", "networks"):
        for name in named[key]:
            if name.casefold() in OWN:
                raise ConfigError(
                    f"study.{key}: {name!r} is how the study names a fit of its own; rename it"
                )
    _require_unlike("study.datasets", {d: config.dataset_title(d) for d in study.datasets}, "title")
    titles = {backbone: config.backbone_title(backbone) for backbone in study.backbones}
    _require_unlike("study.backbones", titles, "title")
    methods = {network: config.networks[network].method for network in study.networks}
    _require_unlike("study.networks", methods, "method")
    _check_pairs(study.datasets)


def _require_text(key: str, name: str) -> None:
    """Refuse a name that tables would give back as something else, or that a file could have."""
    try:
        is_number = float(name) is not None
    except ValueError:
        is_number = False
    if is_number or name.casefold() in NO_TEXT:
        raise ConfigError(
            f"{key}: {name!r} would be read from tables as a number or a missing value; rename it"
        )
    ending = next(filter(name.casefold().endswith, ENDINGS), None)
    if ending:
        raise ConfigError(
            f"{key}: {name!r} ends as files of results do, in {ending}; leave that away"
        )


def _require_apart(key: str, names: Iterable[str]) -> None:
    """Refuse names that differ only in case: one file on some file systems."""
    known: dict[str, str] = {}
    for name in names:
        other = known.setdefault(name.casefold(), name)
        if other != name:
            raise ConfigError(f"{key}: {other} and {name} differ only in case; rename one")


def _require_unlike(key: str, labels: Mapping[str, str], what: str) -> None:
    """Refuse entries that a reader of the tables could not tell apart."""
    known: dict[str, str] = {}
    for name, label in labels.items():
        other = known.setdefault(label, name)
        if other != name:
            raise ConfigError(
                f"{key}: {other} and {name} have one {what}, {label!r}, by which tables tell them "
                f"apart; leave one of them out or change its {what}"
            )


def _check_pairs(datasets: Iterable[str]) -> None:
    """Refuse data sets whose names, joined to pairs, are those of another pair or data set."""
    known = {name: name for name in datasets}
    for source, target in permutations(datasets, 2):
        pair, joined = f"{source} to {target}", f"{source}-to-{target}"
        other = known.setdefault(joined, pair)
        if other != pair:
            raise ConfigError(
                f"study.datasets: {joined} may mean {other} and {pair}; rename a data set"
            )
