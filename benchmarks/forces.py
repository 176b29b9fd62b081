"""What forces cost: energy + forces in forward passes, against SevenNet's own ASE calculator.

And a kernel model's share of them, and its molecular dynamics. One thread; all in turn, medians of
CPU times and of their ratios; `python -m benchmarks.forces --help`.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from ase import Atoms, units
from ase.md.verlet import VelocityVerlet

from benchmarks.backbones import formate_on_copper
from mekrr import Calculator, environment
from mekrr.backbones.base import Backbone
from mekrr.backbones.gradient import forces_and_virial
from mekrr.backbones.load import load_backbone
from mekrr.data.references import References
from mekrr.features.store import FrameFeatures
from mekrr.kernels.atom import Gaussian
from mekrr.kernels.expansion import expansion_of
from mekrr.kernels.lengthscale import median_lengthscale
from mekrr.kernels.training import training_gram
from mekrr.kernels.weights import Shares
from mekrr.models.kernel import KernelModel
from mekrr.models.potentials.kernel import KernelPotential
from mekrr.models.problem import Problem

sys.path.append(str(Path(__file__).parents[1] / "tests"))  # files of random weights

from adapters import ADAPTERS, load_adapter

LAYER = 1
REFERENCES = References("none", dict.fromkeys(("C", "Cu", "H", "O"), 0.0), (), 0.0)


@dataclass(frozen=True)
class Training:
    """Frames to fit to: features of a layer, and a network's own energies, eV, to be learnt."""

    features: FrameFeatures
    frames: pd.DataFrame

    @classmethod
    def of(cls, backbone: Backbone, frames: Sequence[Atoms]) -> Training:
        """Compute them with one forward pass of each frame."""
        features, energies = [], []
        for atoms in frames:
            with torch.inference_mode():
                output = backbone.forward(backbone.graph([atoms]), [LAYER])
            assert output.energy is not None
            features.append(output.layers[LAYER].numpy())
            energies.append(float(output.energy))
        sizes = np.array([len(atoms) for atoms in frames])
        species = np.concatenate([atoms.numbers for atoms in frames])
        table = {"formula": [str(a.symbols) for a in frames], "n_atoms": sizes, "energy": energies}
        pointer = np.concatenate([[0], np.cumsum(sizes)])
        return cls(FrameFeatures(np.concatenate(features), species, pointer), pd.DataFrame(table))

    def potential(self, backbone: Backbone, delta: bool) -> KernelPotential:
        """Fit a potential to them; with Δ the network's own energy is added, for its time alone."""
        kernel = Gaussian(median_lengthscale(self.features.features, sampled=True))
        every = np.arange(len(self.frames))
        gram, normalisation = training_gram(self.features, every, kernel, extensive=True, own=False)
        split = np.full(len(self.frames), "train")
        problem = Problem(self.frames, split, np.zeros(len(self.frames))).per_atom()
        model = KernelModel(0.5, 1e-9).fit(problem, gram)
        return KernelPotential(
            backbone,
            LAYER,
            model,
            self.features,
            kernel,
            normalisation,
            extensive=True,
            delta=delta,
            references=REFERENCES,
        )


def in_turn(ways: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, np.ndarray]:
    """CPU times (repeats,) in s of each way; all meet the same disturbances."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for way in ways.values():
        for _ in range(3):  # compiled code settles
            way()
    for _ in range(repeats):
        for name, way in ways.items():
            start = time.process_time()
            way()
            times[name].append(time.process_time() - start)
    return {name: np.array(values) for name, values in times.items()}


def energy_and_forces(backbone: Backbone, atoms: Atoms, layer: int | None) -> None:
    """Differentiate the network's energy, or the sum of a layer's features if one is named."""
    graph = backbone.graph([atoms]).differentiable()
    output = backbone.forward(graph, [] if layer is None else [layer], energy=layer is None)
    value = output.energy if layer is None else output.layers[layer]
    assert value is not None
    forces_and_virial(graph, [value], [torch.ones_like(value)])


def forward(backbone: Backbone, atoms: Atoms) -> None:
    """One forward pass, all layers and the energy."""
    with torch.no_grad():
        backbone.forward(backbone.graph([atoms]))


def dynamics(potential: KernelPotential, atoms: Atoms, steps: int) -> float:
    """Steps per second of ASE's velocity Verlet with `mekrr.Calculator`, 1 fs at 300 K."""
    atoms = atoms.copy()
    atoms.calc = Calculator(potential, std=False)
    spread = np.sqrt(300 * units.kB * atoms.get_masses())[:, None]
    atoms.set_momenta(spread * np.random.default_rng(0).normal(size=(len(atoms), 3)))
    run = VelocityVerlet(atoms, timestep=1.0 * units.fs)
    run.run(3)
    start = time.process_time()
    run.run(steps)
    return steps / (time.process_time() - start)


def measure_sevennet(n_training: int, repeats: int, steps: int) -> None:
    """SevenNet-0, its own calculator, and a kernel model on its features."""
    from sevenn.calculator import SevenNetCalculator

    backbone = load_backbone("sevennet-0", "sevennet")
    *frames, atoms = formate_on_copper(n_training + 1)
    training = Training.of(backbone, frames)
    delta, direct = (training.potential(backbone, delta) for delta in (True, False))
    calculator = SevenNetCalculator("7net-0", device="cpu")
    with torch.inference_mode():
        features = backbone.forward(backbone.graph([atoms]), [LAYER]).layers[LAYER].numpy()
    weights, _ = direct.model.over_atoms(training.features, None, True)
    expansion = expansion_of(training.features, direct.kernel, weights)
    shares = Shares.of(atoms.numbers, extensive=True)
    ways = {
        "forward": lambda: forward(backbone, atoms),
        "energy + forces": lambda: energy_and_forces(backbone, atoms, None),
        f"layer {LAYER}, forces of its sum": lambda: energy_and_forces(backbone, atoms, LAYER),
        f"kernel, {n_training} frames": lambda: expansion.at(features, atoms.numbers, shares),
        "potential with Δ": lambda: delta.evaluate(atoms),
        "potential without": lambda: direct.evaluate(atoms),
        "SevenNet's calculator": lambda: calculator.calculate(atoms),
    }
    times = in_turn(ways, repeats)
    own = times["SevenNet's calculator"]
    print(f"SevenNet-0, {len(backbone.graph([atoms]).centre)} edges")
    print("                                        ms  forward passes  its calculator's share")
    for name, spent in times.items():
        passes, share = (np.median(spent / unit) for unit in (times["forward"], own))
        print(f"  {name:34s} {1e3 * np.median(spent):7.1f} {passes:8.2f} {share:12.2f}")
    share = np.median(times[f"kernel, {n_training} frames"] / times["potential without"])
    print(f"  the kernel's share of the potential without Δ: {100 * share:.0f} %")
    for name, potential in (("with", delta), ("without", direct)):
        print(f"  dynamics {name} Δ: {dynamics(potential, atoms, steps):.1f} steps/s")


def measure_others(repeats: int) -> None:
    """Every other backbone of the tests, some with small random weights."""
    atoms = formate_on_copper(1)[0]
    print("                                   forward, ms  energy + forces in forward passes")
    with tempfile.TemporaryDirectory() as folder:
        for name in ADAPTERS:
            if name == "sevennet-0":
                continue
            backbone = load_adapter(name, Path(folder))
            layer = None if backbone.has_energy else backbone.layers[-1]
            ways = {
                "forward": lambda b=backbone: forward(b, atoms),
                "forces": lambda b=backbone, k=layer: energy_and_forces(b, atoms, k),
            }
            times = in_turn(ways, repeats)
            ratio = np.median(times["forces"] / times["forward"])
            print(f"  {name:34s} {1e3 * np.median(times['forward']):8.1f} {ratio:9.2f}")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.forces")
    parser.description = __doc__.splitlines()[0]
    parser.add_argument("--frames", type=int, default=720, help="the kernel model is trained on")
    parser.add_argument("--repeats", type=int, default=15, help="medians of so many are shown")
    parser.add_argument("--steps", type=int, default=50, help="of dynamics")
    options = parser.parse_args()
    torch.set_num_threads(1)
    record = environment.collect()
    print(f"{record['cpu']}, torch {record['torch']}, one thread; median of {options.repeats}")
    print(f"formate on copper, {len(formate_on_copper(1)[0])} atoms; CPU times")
    measure_sevennet(options.frames, options.repeats, options.steps)
    measure_others(options.repeats)


if __name__ == "__main__":
    main()
