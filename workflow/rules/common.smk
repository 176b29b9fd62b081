"""Helpers of the rules: the checked configuration, wildcards, lists of targets."""

import sys
from pathlib import Path

from mekrr.config import check_config, check_sources, download_folder, download_key, in_parts
from mekrr.errors import ConfigError

try:
    check_config(config, Path(workflow.basedir) / "workflow" / "schemas")
    check_sources(config)
except ConfigError as error:
    sys.exit(f"mekrr: error: config: {error}")

STUDY = config["study"]

weights = [entry["weights"] for entry in config["backbones"].values() if "weights" in entry]
sources = [*config["datasets"].values(), *weights]
downloads = [entry["download"] for entry in sources if "download" in entry]
DOWNLOADS = {(download_key(d), d["file"]): d for d in downloads}


wildcard_constraints:
    dataset="|".join(map(re.escape, STUDY["datasets"])),
    backbone="|".join(map(re.escape, STUDY["backbones"])),
    strategy="random|run|sequential|published",
    seed=r"\d+",
    key="[0-9a-f]{12}",
    file="[^/]+",
    member="[^/]+",


def code(*modules):
    """Modules that decide an output; as inputs, a change of method reruns its rule."""
    return [f"src/mekrr/{module}" for module in modules]


def dataset_entry(wildcards):
    return config["datasets"][wildcards.dataset]


def part_of_entry(wildcards, *keys):
    """Some keys of a registry entry, so that a new title makes nothing anew."""
    entry = dataset_entry(wildcards)
    return {key: entry[key] for key in keys if key in entry}


def source_entry(wildcards):
    return part_of_entry(wildcards, "frames", "atoms", "runs", "energy_range")


def checked_entry(wildcards):
    return part_of_entry(wildcards, "energy_range", "time_ordered")


def collective_variables(wildcards):
    return dataset_entry(wildcards).get("collective_variables", [])


def study_datasets():
    """Registry entries of the study's data sets, for tables and figures."""
    return {name: config["datasets"][name] for name in STUDY["datasets"]}


def source_files(entry):
    """The file of a registry entry, or the three of a data set's parts: local or downloaded."""
    if "path" in entry:
        return in_parts(entry["path"])
    download = entry["download"]
    folder = download_folder(download)
    if "member" in download:
        return [f"{folder}/members/{member_file(m)}" for m in in_parts(download["member"])]
    return [f"{folder}/{download['file']}"]


def member_file(member):
    """A member's path inside its archive as one file name."""
    return re.sub(r"[^A-Za-z0-9._-]+", "__", member)


ARCHIVES = {
    (download_key(d), member_file(member)): (d["file"], member)
    for d in downloads
    for member in in_parts(d.get("member", {}))
}


def trajectory_sha256(wildcards):
    """Checksum that the data set's file must have, None if the registry gives none."""
    entry = dataset_entry(wildcards)
    download = entry.get("download", {})
    return entry.get("sha256") or (None if "member" in download else download.get("sha256"))


def download_entry(wildcards):
    return DOWNLOADS[wildcards.key, wildcards.file]


def archive_file(wildcards):
    file, _ = ARCHIVES[wildcards.key, wildcards.member]
    return f"results/downloads/{wildcards.key}/{file}"


def archive_member(wildcards):
    _, member = ARCHIVES[wildcards.key, wildcards.member]
    return member


def study_trajectories():
    """The files of every data set of the study."""
    return {name: source_files(config["datasets"][name]) for name in STUDY["datasets"]}


def dataset_files(wildcards):
    return source_files(dataset_entry(wildcards))


def reference_energy(wildcards):
    return dataset_entry(wildcards).get("reference_energy", "least-squares")


def heatmap_split(wildcards):
    """The split whose training atoms set the lengthscale of a heatmap."""
    choice = config["heatmap"]
    return f"results/data/{wildcards.dataset}/splits/{choice['split']}-{choice['seed']}.csv"


def figure_files(stem):
    """The forms of a figure besides the SVG of the report: PDF and PNG."""
    return [f"{stem}.{suffix}" for suffix in ("pdf", "png")]


def backbone_entry(wildcards):
    return config["backbones"][wildcards.backbone]


def backbone_model(wildcards):
    """What decides a backbone's features, so that a new title costs nothing."""
    entry = backbone_entry(wildcards)
    return {key: entry[key] for key in ("family", "options") if key in entry}


def backbone_weights(wildcards):
    """The file of a backbone's weights, none for those inside a package."""
    weights = backbone_entry(wildcards).get("weights")
    return source_files(weights) if weights else []


def extraction(wildcards):
    """Settings of the extraction but for the size of the shards, which changes nothing."""
    return {key: value for key, value in config["features"].items() if key != "shard_frames"}


def feature_shards(wildcards):
    """Shards of a data set whose number of frames the registry knows, else one."""
    n_frames = dataset_entry(wildcards).get("frames", 1)
    n_shards = -(-n_frames // config["features"]["shard_frames"])
    return [
        f"results/features/{wildcards.dataset}/{wildcards.backbone}/{k}-of-{n_shards}.safetensors"
        for k in range(n_shards)
    ]


def backbone_layers(wildcards):
    return backbone_entry(wildcards)["layers"]


def feature_code(wildcards):
    """Only the adapter that a backbone uses, so that another one's change costs nothing."""
    adapter = f"backbones/{backbone_entry(wildcards)['family']}.py"
    return code(
        "graphs.py", "features/extract.py", "features/atoms.py", "backbones/base.py", adapter
    )


def split_seeds(strategy):
    """Splits without randomness: one seed stands for all."""
    return STUDY["seeds"][:1] if strategy in ("sequential", "published") else STUDY["seeds"]


def study_splits(pattern):
    """``pattern`` for every split and seed; other wildcards are left as they are."""
    return [
        pattern.replace("{strategy}", strategy).replace("{seed}", str(seed))
        for strategy in STUDY["splits"]
        for seed in split_seeds(strategy)
    ]


def study_fits(table):
    """One table of every fit on a data set; ``table`` is predictions or choices."""
    fits = [f"{b}/{f}." for b in STUDY["backbones"] for f in ("mekrr", "baselines")]
    return [
        path
        for fit in ["training-mean/", *fits]
        for path in study_splits(f"results/fits/{{dataset}}/{{strategy}}-{{seed}}/{fit}{table}.csv")
    ]


def surrogate_runs(wildcards):
    runs = config["surrogates"][wildcards.surrogate]["runs"]
    return [
        f"results/surrogates/{wildcards.surrogate}/run{number}.extxyz"
        for number in range(len(runs))
    ]


# Data sets of the study that this project made, by their recipes.
STUDY_SURROGATES = [name for name in STUDY["datasets"] if name in config["surrogates"]]


def study_sweeps():
    """The sweep over α and λ of every MEKRR fit."""
    return study_splits("results/fits/{dataset}/{strategy}-{seed}/{backbone}/mekrr.sweep.csv")
