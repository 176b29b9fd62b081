"""Targets of a study as lists of paths: counted by hand, for studies with and without parts."""

from types import SimpleNamespace

import pytest
from studies import default_config

from mekrr.study.config import check_config
from mekrr.study.targets import Targets


def targets(**study):
    """Targets of the default study, but for some keys of `study`."""
    config = default_config()
    config["study"] |= study
    return Targets(check_config(config))


@pytest.fixture
def whole():
    return targets()


@pytest.fixture
def small():
    """Two data sets, one backbone, nothing trained."""
    return targets(
        datasets=["d1-surrogate", "d2-surrogate"],
        backbones=["soap"],
        networks=[],
        gap=False,
        seeds=[4, 7],
    )


def test_splits_without_randomness_have_one_seed():
    made = targets(splits=["random", "sequential"], seeds=[4, 7]).splits(
        "{dataset}/{strategy}-{seed}"
    )
    assert made == ["{dataset}/random-4", "{dataset}/random-7", "{dataset}/sequential-4"]


def test_each_fit_has_its_tables(small):
    folder = "results/fits/{dataset}"
    names = ("training-mean/choices", "soap/mekrr.choices", "soap/baselines.choices")
    expected = {
        f"{folder}/{strategy}-{seed}/{name}.csv"
        for strategy in ("random", "run")
        for seed in (4, 7)
        for name in names
    }
    assert set(small.fits("choices")) == expected
    assert len(small.all_fits("choices")) == 2 * len(expected)


def test_fits_of_the_default_study(whole):
    """Two backbones twice, three networks, GAP and the mean, on two splits of three seeds.

    And sparse models on one data set and backbone.
    """
    assert len(whole.all_fits("predictions")) == 5 * 6 * (2 * 2 + 3 + 1 + 1) + 6
    assert len(whole.costs()) == 5 * 6 * (3 + 1) + 6
    assert len(set(whole.all_fits("predictions"))) == len(whole.all_fits("predictions"))


def test_smoke_is_one_split_of_one_data_set(whole):
    paths = whole.smoke()
    assert len(paths) == 2 * 2 + 3 + 1 + 1
    assert all(path.startswith("results/fits/d1-surrogate/random-0/") for path in paths)


def test_transfers_between_data_sets_of_the_study_alone(small):
    assert small.transfers == [["d1-surrogate", "d2-surrogate"]]
    folder = "results/transfer/d1-surrogate-to-d2-surrogate"
    assert small.transfer_predictions() == [
        f"{folder}/random/{model}.predictions.csv" for model in ("training-mean", "soap")
    ]
    place = SimpleNamespace(source="d1-surrogate", target="d2-surrogate", strategy="random")
    assert small.transfer_splits(place) == {
        f"{name}_splits": [f"results/data/{dataset}/splits/random-{seed}.csv" for seed in (4, 7)]
        for name, dataset in (("origin", "d1-surrogate"), ("destination", "d2-surrogate"))
    }
    fits = small.of_datasets(small.fits("choices"), ["d1-surrogate"])
    assert small.transfer_choices() == fits
    frames = small.transfer_frames(SimpleNamespace(dataset="d1-surrogate"))
    assert frames == ["results/data/d2-surrogate/frames.csv"]


def test_what_is_left_out_has_no_target():
    config = default_config()
    config["study"] |= {"transfer": [], "networks": []}
    for part in ("learning", "ablation", "heatmap"):
        config[part]["skip"] = config["study"]["datasets"]
    bare = Targets(check_config(config))
    assert not {"transfer", "clusters", "ablation", "learning"} & {
        path.split("/")[-1].split(".")[0] for path in bare.tables()
    }
    assert not [path for path in bare.figures() if "heatmap" in path or "history" in path]
    assert bare.learning_curves() == []
    assert bare.of_method == "d1-surrogate"


def test_tables_and_figures_of_the_default_study(whole):
    assert len(whole.tables()) == 13
    assert len(whole.figures()) == len(set(whole.figures()))
    # 2 stretched data sets: 3 kinds for each of 2 backbones, and components; of each of 5,
    # parity, errors along the reaction, dynamics and history; of one, molecular dynamics; of all,
    # eleven.
    assert len(whole.figures()) == 2 * (3 * 2 + 1) + 5 * 4 + 1 + 11
    assert whole.of_method == "d2-surrogate"


def test_forces_of_the_first_splits_and_seeds(whole, small):
    networks = ("schnet", "schnet-catalysis-ft", "sevennet-ft")
    names = ("training-mean", "gap-soap", *networks, "sevennet-0", "schnet-catalysis")
    own = [path for path in whole.forces() if "/d1-surrogate/" in path]
    assert own == [f"results/forces/d1-surrogate/random-0/{name}.csv" for name in names]
    sparse = "results/forces/cuformate-surrogate/random-0/sevennet-0/sparse.csv"
    assert set(whole.forces()) - {sparse} == {
        path.replace("d1-surrogate", name) for name in whole.datasets for path in own
    }
    assert sparse in whole.forces()
    folder = "results/forces/cuformate-surrogate/random-0"
    assert whole.slopes() == [f"{folder}/sevennet-0{n}.slopes.csv" for n in ("", "/sparse")]
    assert small.slopes() == []
    config = default_config()
    config["study"] |= {"seeds": [4, 7], "splits": ["sequential", "random", "run"]}
    config["forces"] |= {"splits": 2, "seeds": "all"}
    several = Targets(check_config(config))
    assert several.of_forces == [("sequential", 4), ("random", 4), ("random", 7)]
    config["forces"]["seeds"] = 0
    without = Targets(check_config(config))
    assert without.forces() == without.slopes() == []
    assert not [path for path in without.figures() if "calibration_forces" in path]


def test_franken_where_it_is_asked_for():
    config = default_config()
    config["franken"] |= {"backbones": ["sevennet-0"], "skip": ["d1-surrogate"], "seeds": 2}
    config["forces"] |= {"splits": "all", "seeds": 1}
    asked = check_config(config)
    made = Targets(asked)
    places = [f"{d}/random-{seed}/sevennet-0" for d in made.with_franken for seed in (0, 1)]
    assert made.with_franken == [d for d in made.datasets if d != "d1-surrogate"]
    for table in ("predictions", "choices"):
        paths = [path for path in made.all_fits(table) if "franken" in path]
        assert paths == [f"results/fits/{place}/franken.{table}.csv" for place in places]
    assert {path for path in made.costs() if "franken" in path} == set(made.franken_fits("costs"))
    compared = [path for path in made.forces() if "franken" in path]
    assert compared == [f"results/forces/{place}/franken.csv" for place in places[::2]]
    rules = [benchmark.job["rule"] for benchmark in made.benchmarks()]
    assert rules.count("fit_franken") == len(places)
    files = [*made.transfer_predictions(), *made.transfer_choices(), *made.learning_curves()]
    assert not [path for path in files if "franken" in path]
    without = Targets(asked.without_franken())
    assert without.all_fits("costs") == Targets(check_config(default_config())).all_fits("costs")


def test_sparse_models_where_they_are_asked_for():
    config = default_config()
    config["study"]["backbones"] = ["sevennet-0", "soap", "chgnet-0.3.0"]
    config["sparse"] |= {"backbones": ["soap", "sevennet-0"], "skip": ["d1-surrogate"]}
    config["molecular_dynamics"] |= {
        "datasets": ["d1-surrogate", "d2-surrogate"],
        "methods": ["MEKRR-sparse"],
        "backbones": ["sevennet-0"],
    }
    config["learning"]["skip"] = ["d2-surrogate", "d3-surrogate", "d4-surrogate"]
    config["ablation"]["sparse"] = ["d1-surrogate", "d3-surrogate"]
    made = Targets(check_config(config))
    assert made.ablated_sparse == ["d3-surrogate"]
    assert "results/tables/ablation_sparse.csv" in made.tables()
    stored = made.stored_directions(SimpleNamespace(dataset="d3-surrogate", backbone="soap"))
    assert stored == "results/directions/d3-surrogate/soap.safetensors"
    for dataset, backbone in (("d1-surrogate", "soap"), ("d3-surrogate", "chgnet-0.3.0")):
        assert made.stored_directions(SimpleNamespace(dataset=dataset, backbone=backbone)) == []

    def of(paths):
        found = {path.removeprefix("results/") for path in paths if "/sparse" in path}
        return {path for path in found if "-surrogate" in path}

    names = [d for d in config["study"]["datasets"] if d != "d1-surrogate"]
    splits = [f"{strategy}-{seed}" for strategy in ("random", "run") for seed in (0, 1, 3)]
    assert of(made.all_fits("choices")) == {
        f"fits/{d}/{split}/{backbone}/sparse.choices.csv"
        for d in names
        for split in splits
        for backbone in ("sevennet-0", "soap")
    }
    assert of(made.learning_curves()) == {
        f"learning/cuformate-surrogate/random-{seed}/{backbone}/sparse.csv"
        for seed in (0, 1, 3)
        for backbone in ("sevennet-0", "soap")
    }
    sources = {path.split("/")[1].split("-to-")[0] for path in of(made.transfer_predictions())}
    assert sources == {"d2-surrogate", "d3-surrogate"}
    assert of(made.all_molecular_dynamics("log")) == {
        "molecular_dynamics/d2-surrogate/random-0/NVE/sevennet-0/sparse.log.csv"
    }
    assert made.simulated == ["d2-surrogate"], "nothing runs beside the truth of the other"
    place = SimpleNamespace(dataset="d2-surrogate", backbone="soap", ensemble="NVE")
    assert [path.split("/", 5)[5] for path in made.molecular_dynamics(place)["bonds"]] == [
        "truth.bonds.csv",
        "sevennet-0/sparse.bonds.csv",
    ]
    assert made.direction_shards(place) == [
        "results/directions/d2-surrogate/soap/0-of-1.safetensors"
    ]
    rules = [made.job["rule"] for made in made.benchmarks()]
    assert rules.count("extract_directions") == 2 * len(names)
    assert rules.count("fit_sparse") == 2 * len(names) * len(splits)
    config["sparse"]["backbones"] = []
    assert of(Targets(check_config(config)).all_fits("choices")) == set()


def test_molecular_dynamics_of_what_the_study_fits(whole, small):
    folder = "results/molecular_dynamics/d1-surrogate/random-0/NVE"
    paths = [f"{folder}/{name}.log.csv" for name in ("truth", "sevennet-0")]
    assert whole.all_molecular_dynamics("log") == paths
    config = default_config()
    config["molecular_dynamics"] |= {
        "datasets": ["d3-surrogate", "d2-surrogate"],
        "ensembles": ["NVE", "NVT"],
        "methods": ["SchNet", "CHGNet-FT", "GAP-SOAP"],
    }
    more = Targets(check_config(config))
    names = ("truth", "schnet", "gap-soap")  # no CHGNet-FT in the study
    assert set(more.all_molecular_dynamics("bonds")) == {
        f"results/molecular_dynamics/{d}/random-0/{ensemble}/{name}.bonds.csv"
        for d in ("d2-surrogate", "d3-surrogate")
        for ensemble in ("NVE", "NVT")
        for name in names
    }
    assert small.all_molecular_dynamics("log") == [], "no backbone that could run"


def test_a_gap_with_forces_stands_beside_the_other():
    config = default_config()
    config["gap"]["forces"] = {"sigma": 0.1, "frames": "all"}
    config["molecular_dynamics"]["methods"] = ["GAP-SOAP-forces"]
    made, without = (Targets(check_config(c)) for c in (config, default_config()))

    def added(paths, others):
        return {path.replace("gap-soap-forces", "gap-soap") for path in set(paths) - set(others)}

    for name in ("costs", "forces", "transfer_predictions"):
        more = added(getattr(made, name)(), getattr(without, name)())
        assert more == {path for path in getattr(without, name)() if "/gap-soap" in path}
    more = added(made.all_fits("choices"), without.all_fits("choices"))
    assert more == {path for path in without.all_fits("choices") if "/gap-soap" in path}
    assert made.simulating == ["truth", "gap-soap-forces"]
    jobs = [tuple(made.job.values()) for made in made.benchmarks()]
    assert ("fit_gap", "d1-surrogate", "run-1", "gap-soap-forces") in jobs
    config["study"]["gap"] = False
    assert Targets(check_config(config)).gaps == []


def test_large_data_sets_are_cut():
    config = default_config()
    config["study"]["every"] = 3
    config["kernels"]["block_frames"] = 100
    config["features"]["shard_frames"] = 60
    cut = Targets(check_config(config))  # every third frame: 134 of 400, 107 of 320
    assert cut.feature_parts("d1-surrogate") == 3
    assert cut.gram_parts("d1-surrogate") == 2
    place = SimpleNamespace(dataset="d1-surrogate", backbone="soap", strategy="run", seed=1)
    assert cut.feature_shards(place) == [
        f"results/features/d1-surrogate/soap/{k}-of-3.safetensors" for k in range(3)
    ]
    assert cut.gram_blocks(place) == [
        f"results/kernels/d1-surrogate/run-1/soap/{pair}-of-2.safetensors"
        for pair in ("0-0", "0-1", "1-1")
    ]
    assert cut.in_one_job == []
    rules = [made.job["rule"] for made in cut.benchmarks()]
    assert rules.count("gram_block") == 3 * rules.count("merge_gram")
    assert "gram" not in rules


def test_a_data_set_of_unknown_size_is_one_job():
    config = default_config()
    del config["datasets"]["d1-surrogate"]["frames"]
    one = Targets(check_config(config))
    assert one.feature_parts("d1-surrogate") == one.gram_parts("d1-surrogate") == 1


@pytest.mark.parametrize("name", ["run-2", "random-0", "0-of-1", "published-10"])
def test_benchmarks_are_of_their_jobs_whatever_the_names(name):
    config = default_config()
    config["backbones"][name] = config["backbones"]["soap"]
    config["study"] |= {"backbones": [name], "datasets": ["d1-surrogate"], "networks": []}
    made = Targets(check_config(config)).benchmarks()
    jobs = {tuple(benchmark.job.values()): benchmark.path for benchmark in made}
    assert len(jobs) == len(made)
    folder = "results/benchmarks"
    of_fit = jobs["fit_mekrr", "d1-surrogate", "run-1", name]
    assert of_fit == f"{folder}/fit_mekrr/d1-surrogate/run-1/{name}.tsv"
    of_features = jobs["extract_features", "d1-surrogate", "", name]
    assert of_features == f"{folder}/extract_features/d1-surrogate/{name}/0-of-1.tsv"
    of_mean = jobs["fit_mean", "d1-surrogate", "run-1", "none"]
    assert of_mean == f"{folder}/fit_mean/d1-surrogate/run-1.tsv"


def test_a_network_trained_anew_for_each_target():
    config = default_config()
    config["networks"]["schnet"]["published_transfer"] = {"epochs": 4}
    made = Targets(check_config(config))
    place = {"source": "d1-surrogate", "target": "d2-surrogate", "strategy": "run"}
    seeds = config["study"]["seeds"]
    folder = "results/transfer/d1-surrogate-to-d2-surrogate"
    anew = made.transferred_models(SimpleNamespace(network="schnet", **place))
    assert anew == [f"{folder}/run-{seed}/schnet.safetensors" for seed in seeds]
    once = made.transferred_models(SimpleNamespace(network="sevennet-ft", **place))
    assert once == [
        f"results/fits/d1-surrogate/run-{seed}/sevennet-ft/model.safetensors" for seed in seeds
    ]


def test_frames_are_needed_for_forces():
    config = default_config()
    config["networks"]["schnet"]["training"] = {"force_weight": 1.0}
    made = Targets(check_config(config))
    fit = SimpleNamespace(network="schnet", dataset="d1-surrogate")
    transfer = SimpleNamespace(network="schnet", source="d2-surrogate", target="d1-surrogate")
    assert made.forces_file(fit) == ["results/data/d1-surrogate/frames.extxyz"]
    assert made.forces_file(transfer) == [
        f"results/data/{name}/frames.extxyz" for name in ("d2-surrogate", "d1-surrogate")
    ]
    assert made.forces_file(SimpleNamespace(network="sevennet-ft", dataset="d1-surrogate")) == []


def test_files_come_from_where_the_registry_says():
    config = default_config()
    address = {"url": "https://example.org/a.tgz", "file": "a.tgz", "sha256": "ab" * 32}
    config["datasets"]["theirs"] = {"download": address | {"member": "in/a.xyz"}}
    made = Targets(check_config(config))
    folder = f"results/downloads/{'ab' * 6}"
    files = made.dataset_files(SimpleNamespace(dataset="theirs"))
    assert files == [f"{folder}/members/in__a.xyz"]
    member = SimpleNamespace(key="ab" * 6, member="in__a.xyz")
    assert made.archive_file(member) == f"{folder}/a.tgz"
    assert made.backbone_weights(SimpleNamespace(backbone="soap")) == []
    assert made.network_weights(SimpleNamespace(network="schnet")) == []
