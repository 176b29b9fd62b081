"""What entries of a configuration say of each other: each rule raises a ConfigError of one line."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from mekrr.backbones.entry import member_file
from mekrr.backbones.families import families
from mekrr.closed import suggestion
from mekrr.data.strategies import STRATEGIES
from mekrr.errors import ConfigError
from mekrr.study.config.networks import SCRATCH
from mekrr.study.config.study import StudyConfig
from mekrr.study.methods import METHODS


def check_rules(config: StudyConfig) -> None:
    """Raise a ConfigError for the first fault among entries that are well formed each."""
    _check_references(config)
    for name in config.networks:
        _check_network(name, config)
    _check_downloads(config)
    _check_own_labels(config)
    _check_splits(config)
    _check_transfers(config)
    _check_dynamics(config)
    _check_franken(config)


def _check_references(config: StudyConfig) -> None:
    """Refuse names of entries that no registry has."""
    study = config.study
    _require_known("study.datasets", study.datasets, config.datasets, "datasets")
    _require_known("study.backbones", study.backbones, config.backbones, "backbones")
    _require_known("study.networks", study.networks, config.networks, "networks")
    of_pairs = [name for pair in study.transfer for name in pair]
    _require_known("study.transfer", of_pairs, config.datasets, "datasets")
    for part in ("learning", "ablation", "heatmap", "sparse", "franken"):
        skipped = getattr(config, part).skip
        _require_known(f"{part}.skip", skipped, config.datasets, "datasets")
    _require_known("ablation.sparse", config.ablation.sparse, config.datasets, "datasets")
    for part in ("sparse", "franken"):
        names = getattr(config, part).backbones
        _require_known(f"{part}.backbones", names, config.backbones, "backbones")
    dynamics = config.molecular_dynamics
    for part in ("datasets", "backbones"):
        names, entries = getattr(dynamics, part), getattr(config, part)
        _require_known(f"molecular_dynamics.{part}", names, entries, part)


def _require_known(key: str, names: Iterable[str], entries: Collection[str], registry: str) -> None:
    for name in names:
        if name not in entries:
            known = ", ".join(sorted(entries))
            raise ConfigError(
                f"{key}: {name!r} is not in the registry `{registry}`"
                f"{suggestion(name, entries)}; known: {known}"
            )


def _check_network(name: str, config: StudyConfig) -> None:
    """Refuse a network that cannot begin with what it says."""
    key, entry, backbones = f"networks.{name}", config.networks[name], config.backbones
    if name in backbones:
        raise ConfigError(f"{key}: is the name of a backbone too; rename one")
    if entry.start == SCRATCH:
        needed, other = "architecture", "frozen"
    elif entry.start not in backbones:
        raise ConfigError(
            f"{key}.start: {entry.start!r} is neither {SCRATCH} nor in the registry `backbones`"
            f"{suggestion(entry.start, backbones)}"
        )
    else:
        needed, other = "frozen", "architecture"
        family = backbones[entry.start].family
        trainable = [name for name, known in families().items() if known.network]
        if family not in trainable:
            raise ConfigError(
                f"{key}.start: {entry.start!r} is of family {family}, which cannot be trained; "
                f"those that can: {', '.join(trainable)}"
            )
    if getattr(entry, needed) is None or getattr(entry, other) is not None:
        raise ConfigError(f"{key}: with start {entry.start!r} give `{needed}`, not `{other}`")
    if METHODS[entry.method].forces and config.training_of(name).force_weight == 0:
        raise ConfigError(
            f"{key}.method: {entry.method!r} learns forces, but their weight is 0; give "
            "`training.force_weight`"
        )


def _check_downloads(config: StudyConfig) -> None:
    """Refuse downloads that would be kept as files which something else is kept as."""
    kept: dict[tuple[str, str], str] = {}
    for key, download in config.downloads:
        if download.file == "members" or download.file.endswith(
            (".part", ".part.version", ".sha256")
        ):
            raise ConfigError(f"{key}.file: {download.file!r} is kept for other things; rename it")
        for member in download.members:
            file = member_file(member)
            other = kept.setdefault((download.key, file), member)
            if other != member:
                raise ConfigError(
                    f"{key}.member: {member!r} and {other!r} would both be kept as {file}; "
                    "unpack them by hand and give `path`"
                )


def _check_own_labels(config: StudyConfig) -> None:
    """Refuse to judge a potential by labels that it made."""
    made = [name for name in config.study.datasets if name in config.surrogates]
    for name in config.study.backbones:
        if config.backbones[name].family == "diep" and made:
            raise ConfigError(
                f"study.backbones: {name}: DIEP made the labels of {made[0]} and would be judged "
                "by itself; leave one of them out"
            )


def _check_splits(config: StudyConfig) -> None:
    """Refuse ways of splitting that a data set is not made for."""
    wanted: list[tuple[str, list[str], list[str]]] = [("study.splits", config.study.splits, [])]
    for key, part in (("ablation.split", config.ablation), ("heatmap.split", config.heatmap)):
        wanted.append((key, [part.split], part.skip))
    for key, splits, skipped in wanted:
        for name in (d for d in config.study.datasets if d not in skipped):
            dataset = config.datasets[name]
            for strategy in splits:
                if STRATEGIES[strategy].in_time and not dataset.time_ordered:
                    raise ConfigError(
                        f"{key}: {strategy}, but datasets.{name}.time_ordered is false; "
                        "leave one of them out"
                    )
                if STRATEGIES[strategy].divided and not dataset.is_divided:
                    raise ConfigError(
                        f"{key}: {strategy}, but datasets.{name} does not come divided into train, "
                        "val and test; leave one of them out"
                    )


def _check_transfers(config: StudyConfig) -> None:
    """Refuse a transfer from frames to the same frames."""
    for source, target in config.study.transfer:
        one, other = config.datasets[source], config.datasets[target]
        if (one.path, one.download) == (other.path, other.download):
            raise ConfigError(
                f"study.transfer: {source} and {target} are the same file, and a test on frames "
                "that were trained on tells nothing; leave the pair out"
            )


def _check_dynamics(config: StudyConfig) -> None:
    """Refuse dynamics of a data set whose true potential cannot be asked."""
    for name in config.molecular_dynamics.datasets:
        if name not in config.surrogates:
            raise ConfigError(
                f"molecular_dynamics.datasets: {name} is none of `surrogates`, whose true "
                "potential can be asked; leave it out"
            )


def _check_franken(config: StudyConfig) -> None:
    """Refuse backbones whose weights franken does not find in a package."""
    for name in config.franken.backbones:
        family = config.backbones[name].family
        if family != "sevennet":
            raise ConfigError(
                f"franken.backbones: {name} is of family {family}; franken is run on those of "
                "family sevennet alone"
            )
