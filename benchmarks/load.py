"""The workflow under load: many synthetic frames through features, derivatives and sparse fits.

`python -m benchmarks.load --help`, from the folder with the Snakefile. Frames are small
(two layers of copper and an oxygen, rattled; energies and forces by ASE's effective medium
theory), the backbone is the analytic one, so that what is loaded is the workflow, the triangles
and the solver. Everything is written to results/, under the name of the data set; jobs that are
done are kept. What follows `--` goes to Snakemake: `-- --workflow-profile profiles/slurm`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import ase.io
import numpy as np
import pandas as pd
import yaml
from ase import Atoms
from ase.build import add_adsorbate, fcc111
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator

from mekrr.files import atomic_path, sha256

BENCHMARKS = Path("results/benchmarks")
RATTLE = 0.15  # Å
DIRECTIONS = 4


def synthetic(n_frames: int) -> Iterator[Atoms]:
    """Rattled frames of 9 atoms, two species, with energies and forces."""
    slab = fcc111("Cu", (2, 2, 2), a=3.6, vacuum=6.0, periodic=True)
    add_adsorbate(slab, "O", 1.2, "fcc")
    slab.info.clear()  # of the surface's sites, which no reader of frames knows
    calculator, rng = EMT(), np.random.default_rng(0)
    for _ in range(n_frames):
        atoms = slab.copy()
        atoms.positions += RATTLE * rng.normal(size=atoms.positions.shape)
        atoms.calc = calculator
        labels = {"energy": atoms.get_potential_energy(), "forces": atoms.get_forces()}
        atoms.calc = SinglePointCalculator(atoms, **labels)
        yield atoms


def overlay(name: str, path: Path, n_frames: int, inducing: int) -> dict:
    """The study: one layer, one split, and two sparse models on it."""
    backbones = {"analytic": {"family": "analytic", "layers": [2], "heatmap_layer": 2}}
    chosen = {"datasets": [name], "backbones": list(backbones), "splits": ["random"], "seeds": [0]}
    return {
        "study": chosen | {"every": 1, "networks": [], "gap": False, "transfer": []},
        "sparse": {
            "backbones": list(backbones),
            "skip": [],
            "directions": {"random": DIRECTIONS, "reactive": False},
            "inducing": inducing,
        },
        "large": {"above": min(n_frames - 1, 10_000)},
        "datasets": {name: {"path": str(path), "frames": n_frames, "atoms": 9}},
        "backbones": backbones,
    }


def costs(name: str) -> pd.DataFrame:
    """Jobs, seconds (of the clock, and of a core) and largest memory (MB) of each rule."""
    jobs = defaultdict(list)
    for path in BENCHMARKS.rglob("*.tsv"):
        rule, *wildcards = path.relative_to(BENCHMARKS).with_suffix("").parts
        if name in wildcards:
            jobs[rule].append(pd.read_csv(path, sep="\t").iloc[-1])
    rows = [
        {
            "rule": rule,
            "jobs": len(done),
            "seconds": sum(job["s"] for job in done),
            "core": sum(job["cpu_time"] for job in done),
            "longest": max(job["s"] for job in done),
            "MB": max(job["max_rss"] for job in done),
        }
        for rule, done in jobs.items()
    ]
    return pd.DataFrame(rows).sort_values("seconds", ascending=False)


def gigabytes(folder: Path) -> float:
    """Size of what is in a folder and those below it."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e9


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load")
    parser.description = __doc__.splitlines()[0]
    parser.add_argument("--frames", type=int, default=100_000)
    parser.add_argument("--inducing", type=int, default=1000, help="inducing atoms")
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--dry-run", action="store_true", help="write the frames, plan the jobs")
    parser.add_argument("snakemake", nargs="*", help="arguments of Snakemake, after --")
    options = parser.parse_args()

    name = f"load-{options.frames}"
    folder = Path("results/load")
    folder.mkdir(parents=True, exist_ok=True)
    frames, study = folder / f"{name}.extxyz", folder / f"{name}.yaml"
    began = time.perf_counter()
    if not frames.exists():
        with atomic_path(frames) as temporary:
            ase.io.write(temporary, synthetic(options.frames), format="extxyz")
    print(f"frames written in {time.perf_counter() - began:.0f} s", flush=True)
    study.write_text(yaml.safe_dump(overlay(name, frames, options.frames, options.inducing)))

    errors = Path(f"results/large/{name}/random-0/all/analytic/errors.csv")
    command = [sys.executable, "-m", "snakemake", "--cores", str(options.cores), str(errors)]
    command += ["--resources", f"gpu={options.cores}", "--configfile", str(study)]
    began = time.perf_counter()
    dry = ["--dry-run"] * options.dry_run
    subprocess.run([*command, *dry, "--quiet", "rules", *options.snakemake], check=True)
    print(f"workflow: {time.perf_counter() - began:.0f} s", flush=True)
    if options.dry_run:
        return
    for place in ("data", "features", "directions", "large"):
        print(f"results/{place}/{name}: {gigabytes(Path('results') / place / name):.3g} GB")
    print(costs(name).to_string(index=False, float_format="{:.1f}".format))
    print(pd.read_csv(errors).query("group == 'all'").to_string(index=False))
    print(f"sha256 of {errors}: {sha256(errors)}")


if __name__ == "__main__":
    main()
