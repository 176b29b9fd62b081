"""Helpers of the rules: the checked configuration, wildcards, lists of targets."""

import sys
from itertools import combinations_with_replacement
from pathlib import Path

from mekrr.backbones.entry import member_file
from mekrr.errors import ConfigError
from mekrr.study.code import code_of
from mekrr.study.config import read_config
from mekrr.study.methods import METHODS
from mekrr.study.tables.printing.escapes import for_label

try:
    CONFIG = read_config(config)
except ConfigError as error:
    sys.exit(f"mekrr: error: config: {error}")

STUDY = config["study"]

downloads = [download for _, download in CONFIG.downloads]
DOWNLOADS = {(d.key, d.file): d.given() for d in downloads}


wildcard_constraints:
    dataset="|".join(map(re.escape, STUDY["datasets"])),
    source="|".join(map(re.escape, STUDY["datasets"])),
    target="|".join(map(re.escape, STUDY["datasets"])),
    backbone="|".join(map(re.escape, STUDY["backbones"])),
    network="|".join(map(re.escape, STUDY["networks"])) or "(?!)",
    strategy="random|run|sequential|published",
    seed=r"\d+",
    key="[0-9a-f]{12}",
    file="[^/]+",
    member="[^/]+",


def code(script, kind=None):
    """Modules that a script imports: as inputs, a change of one makes its rule run again.

    With those of one kind of models, but not of others."""
    kinds = [f"mekrr.study.experiments.kinds.{kind}"] if kind else []
    return code_of(f"workflow/scripts/{script}.py", *kinds)


def adapter_code(script):
    """The same with the adapter of the backbone's family, but not with those of others."""

    def files(wildcards):
        return code_of(
            f"workflow/scripts/{script}.py",
            *family_modules(backbone_entry(wildcards)["family"])[:1],
        )

    return files


def network_code(script, kind=None):
    """The same with what trains networks of one family, but not of others."""

    def files(wildcards):
        family = (network_start(wildcards) or {"family": "schnet"})["family"]
        return [
            *code(script, kind),
            *code_of(f"workflow/scripts/{script}.py", family_modules(family)[-1]),
        ]

    return files


def family_modules(family):
    """The adapter of a family of backbones and, if there is one, its network to be trained."""
    if Path(f"src/mekrr/backbones/{family}.py").exists():
        return [f"mekrr.backbones.{family}"]
    return [f"mekrr.backbones.{family}.{module}" for module in ("adapter", "finetune")]


def dataset_entry(wildcards):
    return config["datasets"][wildcards.dataset]


def part_of_entry(wildcards, *keys):
    """Some keys of a registry entry, so that a new title makes nothing anew."""
    entry = dataset_entry(wildcards)
    return {key: entry[key] for key in keys if key in entry}


def how_to_read(wildcards):
    return part_of_entry(wildcards, "format", "energy_key", "forces_key")


def source_entry(wildcards):
    return part_of_entry(wildcards, "frames", "atoms", "runs", "energy_range")


def checked_entry(wildcards):
    return part_of_entry(wildcards, "energy_range", "time_ordered", "reference_energy")


def transfer_targets(wildcards):
    """Tables of the frames that fits on a data set are tested on, its own apart."""
    pairs = (pair for pair in STUDY_TRANSFERS if pair[0] == wildcards.dataset)
    return [f"results/data/{target}/frames.csv" for _, target in pairs]


def collective_variables(wildcards):
    return dataset_entry(wildcards).get("collective_variables", [])


def study_datasets():
    """Registry entries of the study's data sets, for tables and figures; not where they lie."""
    entries = {name: config["datasets"][name] for name in STUDY["datasets"]}
    return {name: {k: v for k, v in e.items() if k != "path"} for name, e in entries.items()}


ARCHIVES = {(d.key, member_file(m)): (d.file, m) for d in downloads for m in d.members}


def trajectory_sha256(wildcards):
    """Checksum that the data set's file must have, None if the registry gives none."""
    return CONFIG.datasets[wildcards.dataset].file_sha256


def download_entry(wildcards):
    return DOWNLOADS[wildcards.key, wildcards.file]


def archive_file(wildcards):
    file, _ = ARCHIVES[wildcards.key, wildcards.member]
    return f"results/downloads/{wildcards.key}/{file}"


def archive_member(wildcards):
    _, member = ARCHIVES[wildcards.key, wildcards.member]
    return member


def dataset_files(wildcards):
    return CONFIG.datasets[wildcards.dataset].files


def reference_energy(wildcards):
    return dataset_entry(wildcards).get("reference_energy", "least-squares")


def source_reference_energy(wildcards):
    return config["datasets"][wildcards.source].get("reference_energy", "least-squares")


def heatmap_split(wildcards):
    """The split whose training atoms set the lengthscale of a heatmap."""
    choice = config["heatmap"]
    return f"results/data/{wildcards.dataset}/splits/{choice['split']}-{choice['seed']}.csv"


def of_heatmap_split(pattern):
    """``pattern`` for the split of the heatmaps."""
    choice = config["heatmap"]
    return pattern.replace("{split}", f"{choice['split']}-{choice['seed']}")


def stretch_entry(wildcards):
    """What decides the stretch of a heatmap and the event in it."""
    return part_of_entry(wildcards, "stretch", "event", "collective_variables")


def drawn_entry(wildcards):
    """What figures say of a data set."""
    return part_of_entry(wildcards, "title", "event", "collective_variables")


def figure_labels(title):
    """Labels of a figure in the report: the same columns for all."""

    def labels(wildcards):
        dataset, backbone = (getattr(wildcards, key, None) for key in ("dataset", "backbone"))
        shown = {
            "figure": title,
            "data set": config["datasets"][dataset].get("title", dataset) if dataset else "all",
            "backbone": backbone_title(wildcards) if backbone else "all",
        }
        return {column: for_label(text) for column, text in shown.items()}

    return labels


def without_skipped(part):
    """Data sets of the study but for those that one of its parts skips."""
    return [name for name in STUDY["datasets"] if name not in config[part]["skip"]]


# Data sets of the study with a collective variable, and with one that tells when the event
# has happened.
WITH_VARIABLE = [d for d in STUDY["datasets"] if "collective_variables" in config["datasets"][d]]
STRETCHED = without_skipped("heatmap")
EVENTFUL = [name for name in STRETCHED if "event" in config["datasets"][name]]


# The data set that stands for all in Figure 1: the first in which something happens.
METHOD_DATASET = (EVENTFUL or STUDY["datasets"])[0]


def figure_files(stem):
    """The forms of a figure besides the SVG of the report: PDF and PNG."""
    return [f"{stem}.{suffix}" for suffix in ("pdf", "png")]


def backbone_entry(wildcards):
    return config["backbones"][wildcards.backbone]


def backbone_title(wildcards):
    return backbone_entry(wildcards).get("title", wildcards.backbone)


def backbone_model(wildcards):
    """What decides a backbone's features, so that a new title costs nothing."""
    entry = backbone_entry(wildcards)
    return {key: entry[key] for key in ("family", "options") if key in entry}


def backbone_weights(wildcards):
    """The file of a backbone's weights, none for those inside a package."""
    return CONFIG.backbones[wildcards.backbone].weights_files


def extraction(wildcards):
    """Settings of the extraction but for the size of the shards, which changes nothing."""
    return {key: value for key, value in config["features"].items() if key != "shard_frames"}


def frames_used(dataset, unknown=1):
    """Frames of a data set that the study uses, ``unknown`` where the registry is silent."""
    n_frames = config["datasets"][dataset].get("frames")
    return unknown if n_frames is None else -(-n_frames // STUDY["every"])


def feature_parts(dataset):
    """Shards of a data set whose number of frames the registry knows, else one."""
    return -(-frames_used(dataset) // config["features"]["shard_frames"])


def feature_shards(wildcards):
    n_shards = feature_parts(wildcards.dataset)
    return [
        f"results/features/{wildcards.dataset}/{wildcards.backbone}/{k}-of-{n_shards}.safetensors"
        for k in range(n_shards)
    ]


def backbone_layers(wildcards):
    return backbone_entry(wildcards)["layers"]


def gram_settings(wildcards):
    """What decides a Gram matrix beside the features."""
    return {"layers": backbone_layers(wildcards), "lengthscale": config["kernels"]["lengthscale"]}


def gram_parts(dataset):
    """Parts, in pairs of which a data set's Gram matrices are computed; one is one job."""
    return -(-frames_used(dataset) // config["kernels"]["block_frames"])


def one_of(names):
    """Constraint of a wildcard to some names, or to nothing if there are none."""
    return "|".join(map(re.escape, names)) or "(?!)"


IN_BLOCKS = [name for name in STUDY["datasets"] if gram_parts(name) > 1]
IN_ONE_JOB = [name for name in STUDY["datasets"] if gram_parts(name) == 1]


def gram_blocks(wildcards):
    """Blocks of the Gram matrices of a data set whose number of frames the registry knows."""
    folder = "results/kernels/{dataset}/{strategy}-{seed}/{backbone}".format(**wildcards)
    n_parts = gram_parts(wildcards.dataset)
    return [
        f"{folder}/{first}-{second}-of-{n_parts}.safetensors"
        for first, second in combinations_with_replacement(range(n_parts), 2)
    ]


# What jobs ask for: minutes and MB, from the size of their data. Rates are those measured on one
# core of an AMD EPYC (two for kernels and fits), each with the safety that its function states. A
# profile that sends failed jobs again makes `attempt` count up.


def data_size(wildcards):
    """Frames of a job's data set and atoms of a frame, generous where the registry is silent."""
    names = [wildcards[key] for key in ("dataset", "source", "target") if key in wildcards.keys()]
    entries = [config["datasets"][name] for name in names]
    return (
        max(frames_used(name, config["kernels"]["block_frames"]) for name in names),
        max(entry.get("atoms", 100) for entry in entries),
    )


def train_frames(wildcards):
    return data_size(wildcards)[0] * config["split"]["fractions"]["train"]


def n_alphas():
    return config["grid"]["alpha"]["count"]


def frames_memory(wildcards, attempt):
    """All frames in memory at once: 1 kB an atom measured, four times as much asked for."""
    n_frames, n_atoms = data_size(wildcards)
    return attempt * (1000 + round(4e-3 * n_frames * n_atoms))


def frames_minutes(wildcards, attempt):
    """A pass over frames, 3 ms each, and over their pairs, 0.03 µs each; ten times that."""
    n_frames, _ = data_size(wildcards)
    return attempt * (5 + round((0.03 * n_frames + 3e-7 * n_frames**2) / 60))


def features_memory(wildcards, attempt):
    """Batches and the network: 0.5 GB measured with frames of 50 atoms, eight times as much."""
    _, n_atoms = data_size(wildcards)
    return attempt * (4000 + 4 * n_atoms)


def features_minutes(wildcards, attempt):
    """A shard on one core: 1.6 ms an atom with SevenNet-0, for larger networks ten times that."""
    n_frames, n_atoms = data_size(wildcards)
    n_shard = min(n_frames, config["features"]["shard_frames"])
    return attempt * (10 + round(0.016 * n_shard * n_atoms / 60))


def trunk_minutes(wildcards, attempt):
    """As features, but of all frames."""
    n_frames, n_atoms = data_size(wildcards)
    return attempt * (10 + round(0.016 * n_frames * n_atoms / 60))


def gram_threads(wildcards):
    """Two for kernels that take minutes. Shorter jobs come in numbers, and two of one thread each
    end before one of two threads and then the other."""
    n_frames, n_atoms = data_size(wildcards)
    return 1 if len(backbone_layers(wildcards)) * (n_frames * n_atoms) ** 2 < 1e11 else 2


def fit_threads(wildcards):
    """The same for fits."""
    return 1 if len(backbone_layers(wildcards)) * train_frames(wildcards) ** 3 < 1e10 else 2


def gram_minutes(wildcards, attempt):
    """All kernels, or one block of them: 8e7 atom pairs a second at width 1024, 2.6 times that."""
    n_frames, n_atoms = data_size(wildcards)
    part = n_frames / gram_parts(wildcards.dataset) * n_atoms
    return attempt * (10 + round(len(backbone_layers(wildcards)) * part**2 / 3e7 / 60))


def lengthscale_minutes(wildcards, attempt):
    """The median distance costs as much as the kernels between training frames."""
    n_atoms = train_frames(wildcards) * data_size(wildcards)[1]
    pairs = n_atoms**2 if config["kernels"]["lengthscale"] == "median" else 0
    return attempt * (10 + round(len(backbone_layers(wildcards)) * pairs / 3e7 / 60))


def merge_minutes(wildcards, attempt):
    """Reading and writing all kernels, of up to five species: 100 MB a second, thrice that."""
    n_bytes = 8 * 6 * data_size(wildcards)[0] * train_frames(wildcards)
    return attempt * (10 + round(len(backbone_layers(wildcards)) * n_bytes / 3.3e7 / 60))


def fit_memory(wildcards, attempt):
    """Kernels of all frames with the training frames, five measured and six asked for, and of
    these alone (T²), six and eight."""
    n_frames, n_train = data_size(wildcards)[0], train_frames(wildcards)
    return attempt * (2000 + round(8e-6 * n_train * (6 * n_frames + 8 * n_train)))


def fit_minutes(wildcards, attempt):
    """A reduction, and as much for leave-one-out, per layer and α: (8/3) T³ operations, 1.5e10 of
    which take a second; five times that, also for the α of each species."""
    return fit_minutes_of(len(backbone_layers(wildcards)), wildcards, attempt)


def fit_minutes_of(n_layers, wildcards, attempt):
    reductions = n_layers * n_alphas()
    return attempt * (10 + round(reductions * 8 / 3 * train_frames(wildcards) ** 3 / 3e9 / 60))


def baselines_memory(wildcards, attempt):
    """Features of a layer in float64, at a width of 1024, twice, beside what fits take."""
    n_frames, n_atoms = data_size(wildcards)
    return fit_memory(wildcards, attempt) + attempt * round(16e-6 * 1024 * n_frames * n_atoms)


def ablation_minutes(wildcards, attempt):
    """For each seed, kernels of one layer six times over, and as many fits with every layer."""
    n_frames, n_atoms = data_size(wildcards)
    kernels = 6 * (n_frames * n_atoms) ** 2 / 3e7 / 60
    per_seed = round(kernels) + 3 * fit_minutes(wildcards, 1)
    return attempt * max(1, len(ABLATION_SEEDS)) * per_seed


def training_memory(wildcards, attempt):
    """All frames, beside network and optimiser: 0.8 GB measured on a CPU; CUDA takes 3 GB itself."""
    return frames_memory(wildcards, attempt) + attempt * 4000


def training_minutes(wildcards, attempt):
    """Steps of 0.1 s for frames of 50 atoms measured on one core; four times that."""
    n_frames, n_atoms = data_size(wildcards)
    training = network_training(wildcards)
    n_train = train_frames(wildcards)
    steps = max(training["epochs"] * n_train / training["batch_size"], training["least_steps"])
    per_step = 4 * 0.1 * training["batch_size"] / 8 * n_atoms / 50
    return attempt * (30 + round(steps * per_step / 60))


def learning_minutes(wildcards, attempt):
    """A training for each number of frames, none longer than that on all."""
    return len(config["learning"]["n_train"]) * training_minutes(wildcards, attempt)


def soap_width():
    """Numbers in a SOAP vector of GAP with four species; what a fifth costs, a retry covers."""
    functions = 4 * config["gap"]["n_max"]
    return functions * (functions + 1) // 2 * (config["gap"]["l_max"] + 1) + 1


def gap_memory(wildcards, attempt):
    """SOAP vectors of all training atoms in float64: 3 times these measured, with 250 MB."""
    atoms = train_frames(wildcards) * data_size(wildcards)[1]
    return attempt * (1000 + round(3 * 8e-6 * soap_width() * atoms))


def gap_minutes(wildcards, attempt):
    """Fit and predictions: per atom 1 ms and 5 ns for each number of each representative atom
    measured; four times that."""
    n_frames, n_atoms = data_size(wildcards)
    seconds = 0.004 + 2e-8 * soap_width() * config["gap"]["n_sparse"]
    return attempt * (30 + round(seconds * n_frames * n_atoms / 60))


def split_seeds(strategy):
    """Splits without randomness: one seed stands for all."""
    return STUDY["seeds"][:1] if strategy in ("sequential", "published") else STUDY["seeds"]


def study_splits(pattern, strategies=STUDY["splits"]):
    """``pattern`` for every split and seed; other wildcards are left as they are."""
    return [
        pattern.replace("{strategy}", strategy).replace("{seed}", str(seed))
        for strategy in strategies
        for seed in split_seeds(strategy)
    ]


def first_split(pattern):
    """``pattern`` for the first way of splitting and its seeds."""
    return study_splits(pattern, STUDY["splits"][:1])


def study_fits(table):
    """One table of every fit on a data set; ``table`` is predictions or choices."""
    fits = ["training-mean/", *(["gap-soap/"] if STUDY["gap"] else [])]
    fits += [f"{network}/" for network in STUDY["networks"]]
    fits += [f"{b}/{f}." for b in STUDY["backbones"] for f in ("mekrr", "baselines")]
    return [
        path
        for fit in fits
        for path in study_splits(f"results/fits/{{dataset}}/{{strategy}}-{{seed}}/{fit}{table}.csv")
    ]


def smoke_fits():
    """Predictions of every fit on the first split of the first data set."""
    split = "{}-{}".format(STUDY["splits"][0], STUDY["seeds"][0])
    paths = collect(study_fits("predictions"), dataset=STUDY["datasets"][0])
    return [path for path in paths if split in path.split("/")]


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


def study_settings():
    """What a table of errors says of data and training, see `mekrr.study.tables.notes.effort`."""
    entries = [config["networks"][name] for name in STUDY["networks"]]
    return {
        "every": STUDY["every"],
        "networks": {e["method"]: config["training"] | e.get("training", {}) for e in entries},
        "gap": config["gap"] if STUDY["gap"] else None,
    }


def study_backbones():
    """Titles of the study's backbones, for tables."""
    return {name: config["backbones"][name].get("title", name) for name in STUDY["backbones"]}


def backbone_titles():
    """As `study_backbones`, and of those that networks of the study start with."""
    starts = [config["networks"][name]["start"] for name in STUDY["networks"]]
    more = [name for name in starts if name in config["backbones"]]
    titles = {name: config["backbones"][name].get("title", name) for name in more}
    return study_backbones() | titles


# A study of other data sets leaves the pairs of the default study alone.
STUDY_TRANSFERS = [pair for pair in STUDY["transfer"] if set(pair) <= set(STUDY["datasets"])]


def study_transfers():
    """Predictions of every fit on the test frames of every target.

    Under the first way of splitting: no frame of a target is like one of its source.
    """
    models = [
        "training-mean",
        *STUDY["backbones"],
        *STUDY["networks"],
        *(["gap-soap"] if STUDY["gap"] else []),
    ]
    return [
        path.replace("{model}", model)
        for source, target in STUDY_TRANSFERS
        for path in first_split(
            f"results/transfer/{source}-to-{target}/{{strategy}}-{{seed}}/{{model}}.predictions.csv"
        )
        for model in models
    ]


def transfer_choices():
    """Choices of the fits on every source."""
    return collect(
        study_fits("choices"), dataset=dict.fromkeys(source for source, _ in STUDY_TRANSFERS)
    )


LEARNING = without_skipped("learning")
HAS_LEARNING = bool(LEARNING and config["learning"]["n_train"])


def study_learning():
    """Test errors against the number of training frames, of every fit on a data set.

    Under the first way of splitting.
    """
    models = [*STUDY["backbones"], *STUDY["networks"]]
    return [
        path.replace("{model}", model)
        for path in first_split("results/learning/{dataset}/{strategy}-{seed}/{model}.csv")
        for model in models
    ]


ABLATED = without_skipped("ablation")
HAS_ABLATION = bool(ABLATED and config["ablation"]["seeds"])
ABLATION_SEEDS = config["ablation"]["seeds"]
ABLATION_SPLITS = [f"{config['ablation']['split']}-{seed}" for seed in ABLATION_SEEDS]


def study_ablations():
    """Errors with one part of the method changed, of every data set and backbone."""
    return collect(
        "results/ablation/{dataset}/{backbone}.csv",
        dataset=ABLATED,
        backbone=STUDY["backbones"],
    )


def gram_jobs(dataset, fit):
    """Jobs that make the Gram matrices of a fit, by rule and wildcards."""
    if dataset in IN_ONE_JOB:
        return [f"gram/{fit}"]
    n_parts = gram_parts(dataset)
    pairs = combinations_with_replacement(range(n_parts), 2)
    blocks = [f"gram_block/{fit}/{first}-{second}-of-{n_parts}" for first, second in pairs]
    return [f"prepare_gram/{fit}", *blocks, f"merge_gram/{fit}"]


def study_benchmarks():
    """Benchmarks of the jobs between the frames and the fits."""
    jobs = []
    for dataset in STUDY["datasets"]:
        splits = study_splits(f"{dataset}/{{strategy}}-{{seed}}")
        jobs += [f"fit_mean/{split}" for split in splits]
        jobs += [f"fit_gap/{split}" for split in splits if STUDY["gap"]]
        for backbone in STUDY["backbones"]:
            n_shards = feature_parts(dataset)
            jobs += [
                f"extract_features/{dataset}/{backbone}/{k}-of-{n_shards}" for k in range(n_shards)
            ]
            for fit in (f"{split}/{backbone}" for split in splits):
                jobs += [*gram_jobs(dataset, fit), f"fit_baselines/{fit}", f"fit_mekrr/{fit}"]
        for network in STUDY["networks"]:
            jobs.append(f"trunk/{dataset}/{network}")
            jobs += [f"train_network/{split}/{network}" for split in splits]
    return [f"results/benchmarks/{job}.tsv" for job in jobs]


def network_entry(wildcards):
    return config["networks"][wildcards.network]


def network_start(wildcards):
    """Entry of the backbone that a network starts with, None if from scratch."""
    return config["backbones"].get(network_entry(wildcards)["start"])


def network_model(wildcards):
    """What decides a network before training."""
    entry, backbone = network_entry(wildcards), network_start(wildcards)
    kept = ("start", "frozen", "architecture")
    return {
        "entry": {key: entry[key] for key in kept if key in entry},
        "backbone": backbone and {k: backbone[k] for k in ("family", "options") if k in backbone},
    }


def network_method(wildcards):
    return network_entry(wildcards)["method"]


def network_training(wildcards):
    return config["training"] | network_entry(wildcards).get("training", {})


def transfer_training(wildcards):
    return network_training(wildcards) | network_entry(wildcards)["published_transfer"]


def network_weights(wildcards):
    """The file of the weights that a network starts with, none for those inside a package."""
    backbone = CONFIG.backbone_of(wildcards.network)
    return backbone.weights_files if backbone else []


def forces_file(wildcards):
    """The frames of a data set, where a network learns forces."""
    learns = network_training(wildcards)["force_weight"] > 0
    return [f"results/data/{wildcards.dataset}/frames.extxyz"] if learns else []


def source_forces_file(wildcards):
    learns = network_training(wildcards)["force_weight"] > 0
    return [f"results/data/{wildcards.source}/frames.extxyz"] if learns else []


def transferred_model(wildcards):
    """A network trained on the source, as published anew for each target or once."""
    names = "{source}-to-{target}/{strategy}-{seed}/{network}".format(**wildcards)
    if "published_transfer" in network_entry(wildcards):
        return f"results/transfer/{names}.safetensors"
    names = "{source}/{strategy}-{seed}/{network}".format(**wildcards)
    return f"results/fits/{names}/model.safetensors"


def study_network_tables(table):
    """One table of every training on a data set: history or costs."""
    return [
        path.replace("{network}", network)
        for path in study_splits(
            f"results/fits/{{dataset}}/{{strategy}}-{{seed}}/{{network}}/{table}.csv"
        )
        for network in STUDY["networks"]
    ]


def study_costs():
    """What a prediction costs with every fit whose job measures that."""
    gap = study_splits("results/fits/{dataset}/{strategy}-{seed}/gap-soap/costs.csv")
    return [*study_network_tables("costs"), *(gap if STUDY["gap"] else [])]


# Methods on frozen features, by what they are fitted from.
BASELINES = ["linear ridge", "species ridge", "untouched GNN"]
ON_KERNELS = [m.name for m in METHODS.values() if m.kernel == "gaussian"]
IN_LEARNING = [m.name for m in METHODS.values() if m.learning]


def transfer_code(wildcards):
    return code("transfer", transfer_kind(wildcards))


def transfer_kind(wildcards):
    return {"training-mean": "constant", "gap-soap": "potential"}.get(wildcards.model, "kernel")


def transfer_files(wildcards):
    """What a model on a source is, and what it needs of a target, beside tables and splits."""
    kind, target = transfer_kind(wildcards), wildcards.target
    fits = "results/fits/{source}/{strategy}-{seed}/{model}".format(**wildcards)
    if kind == "constant":
        return {}
    if kind == "potential":
        frames = f"results/data/{target}/frames.extxyz"
        return {"model": f"{fits}/model.tar.gz", "frames": frames}
    names = [f"{name}/{wildcards.model}" for name in (wildcards.source, target)]
    return {
        "features": [f"results/features/{name}.safetensors" for name in names],
        "choices": [f"{fits}/{part}.choices.csv" for part in ("baselines", "mekrr")],
    }


def transfer_memory(wildcards, attempt):
    of_kind = {"constant": frames_memory, "potential": gap_memory, "kernel": baselines_memory}
    return of_kind[transfer_kind(wildcards)](wildcards, attempt)


def transfer_minutes(wildcards, attempt):
    kind = transfer_kind(wildcards)
    if kind == "constant":
        return attempt * 5
    if kind == "potential":
        return gap_minutes(wildcards, attempt)
    n_layers = len(config["backbones"][wildcards.model]["layers"])
    return fit_minutes_of(n_layers, wildcards, attempt)
