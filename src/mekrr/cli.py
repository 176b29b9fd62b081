"""Command line: fit a model to frames, predict frames, look into a model.

`mekrr --help`, `mekrr fit --help`.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import mekrr
from mekrr.errors import DataError, MekrrError

if TYPE_CHECKING:
    import numpy as np
    from ase import Atoms

    from mekrr.estimator import MEKRR

# Heavy modules are imported by the commands, so that --help comes at once.

FRACTIONS = (0.6, 0.2, 0.2)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command. An error that the user can mend is one line, and exit status 1."""
    options = _parser().parse_args(arguments)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", FutureWarning)
        warnings.showwarning = _show_warning
        try:
            options.command(options)
            sys.stdout.flush()
        except BrokenPipeError:
            # Whoever read our output has left (mekrr backbones | head): no error to speak of.
            # Python would meet it once more, on closing stdout.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(128 + signal.SIGPIPE)
        except (MekrrError, OSError) as error:
            sys.exit(f"mekrr: error: {' '.join(str(error).split())}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mekrr",
        description="Potentials from a few hundred frames: kernel ridge regression with "
        "mean-embedding kernels on the features of a pre-trained graph neural network.",
    )
    parser.add_argument("--version", action="version", version=mekrr.__version__)
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    registry = argparse.ArgumentParser(add_help=False)
    registry.add_argument(
        "--registry",
        metavar="FILE",
        help="YAML file that names more backbones (default: config/backbones.yaml, if there)",
    )
    threads = argparse.ArgumentParser(add_help=False)
    threads.add_argument(
        "--threads",
        type=int,
        default=len(os.sched_getaffinity(0)),
        metavar="N",
        help="threads (default: all cores, here %(default)s)",
    )

    command = commands.add_parser(
        "fit",
        parents=[registry, threads],
        help="fit a model to frames",
        description="Fit a model to frames. What of layer, alpha and regularisation is not given "
        "is chosen by leave-one-out errors or, with --split, on validation frames.",
    )
    command.set_defaults(command=_fit)
    command.add_argument(
        "frames", metavar="FRAMES", help="file that ASE reads, with total energies in eV"
    )
    command.add_argument(
        "--backbone", required=True, metavar="NAME", help="network; `mekrr backbones` lists them"
    )
    command.add_argument("--layer", type=int, metavar="L", help="layer of the network")
    command.add_argument(
        "--alpha", type=float, metavar="A", help="weight of the kernel by species, 0 to 1"
    )
    command.add_argument(
        "--regularisation",
        type=float,
        metavar="LAMBDA",
        help="λ; λ × number of training frames is added to the kernel's diagonal",
    )
    command.add_argument(
        "--target",
        choices=("energy", "delta"),
        default="energy",
        help="what is learnt: the energy, or what the network's own energy leaves of it "
        "(default: %(default)s)",
    )
    command.add_argument(
        "--split",
        choices=("random", "run"),
        help="fit to 60 %% of the frames, choose on 20 %%, test on 20 %%, divided at random or by "
        "whole runs (default: fit to all)",
    )
    command.add_argument(
        "--seed", type=int, default=0, metavar="N", help="of --split (default: %(default)s)"
    )
    command.add_argument(
        "-o", "--output", required=True, metavar="MODEL", help="file to write, safetensors"
    )

    command = commands.add_parser(
        "predict",
        parents=[registry, threads],
        help="predict the energies of frames",
        description="Predict the energies of frames, and compare where the file has energies.",
    )
    command.set_defaults(command=_predict)
    command.add_argument("model", metavar="MODEL", help="file that `mekrr fit` wrote")
    command.add_argument("frames", metavar="FRAMES", help="file that ASE reads")
    command.add_argument(
        "--std",
        action="store_true",
        help="also the predictive standard deviation in eV, as energy_std",
    )
    command.add_argument(
        "-o", "--output", required=True, metavar="OUT.extxyz", help="extended XYZ file to write"
    )

    command = commands.add_parser("info", help="print what a model is and was fitted to")
    command.set_defaults(command=_info)
    command.add_argument("model", metavar="MODEL", help="file that `mekrr fit` wrote")

    command = commands.add_parser(
        "backbones", parents=[registry], help="list the networks, and whether they can be used"
    )
    command.set_defaults(command=_backbones)
    return parser


def _fit(options: argparse.Namespace) -> None:
    import numpy as np

    from mekrr.data.frames import frame_table, read_frames
    from mekrr.data.splits import split_frames
    from mekrr.estimator import MEKRR

    _keep(options.output, options.frames)
    frames = read_frames(options.frames)
    model = MEKRR(
        options.backbone,
        layer=options.layer,
        alpha=options.alpha,
        regularisation=options.regularisation,
        target=options.target,
        registry=options.registry,
        threads=options.threads,
    )
    if options.split is None:
        model.fit(frames)
    else:
        table = frame_table(frames)
        split = split_frames(table, options.split, FRACTIONS, options.seed, options.frames)["split"]
        known = np.flatnonzero(split != "test")
        validation = np.flatnonzero(split[known] == "val")
        model.fit([frames[index] for index in known], validation=validation)
    print(_summary(model))
    if options.split is not None:
        test = [frames[index] for index in np.flatnonzero(split == "test")]
        errors = _errors(model.predict(test), table["energy"][split == "test"], test)
        print(_line("test", f"{_quality(errors)} ({len(test)} frames, split {options.split})"))
    model.save(options.output)
    print(f"written: {options.output} ({Path(options.output).stat().st_size / 1e6:.1f} MB)")


def _predict(options: argparse.Namespace) -> None:
    import ase.io
    from ase.calculators.singlepoint import SinglePointCalculator

    from mekrr.data.frames import energy_of, read_unlabelled
    from mekrr.estimator import MEKRR
    from mekrr.files import atomic_path

    _keep(options.output, options.frames, options.model)
    model = MEKRR.load(options.model, registry=options.registry)
    model.set_params(threads=options.threads)
    frames = read_unlabelled(options.frames)
    try:
        predicted = model.predict(frames, return_std=options.std)
    except DataError as error:
        raise DataError(f"{options.frames}: {error}") from error
    energies, stds = predicted if options.std else (predicted, None)
    references = [energy_of(atoms) for atoms in frames]
    written = []
    for index, atoms in enumerate(frames):
        copy = atoms.copy()
        copy.calc = SinglePointCalculator(copy, energy=float(energies[index]))
        if stds is not None:
            copy.info["energy_std"] = float(stds[index])
        if references[index] is not None:
            copy.info["energy_ref"] = references[index]
        written.append(copy)
    with atomic_path(options.output) as temporary:
        ase.io.write(temporary, written, format="extxyz")
    print(f"written: {options.output} ({len(written)} frames)")
    known = [index for index, energy in enumerate(references) if energy is not None]
    if known:
        errors = _errors(
            energies[known], [references[i] for i in known], [frames[i] for i in known]
        )
        print(_line("errors", f"{_quality(errors)} ({len(known)} frames with energies)"))


def _info(options: argparse.Namespace) -> None:
    from mekrr.estimator import MEKRR

    model = MEKRR.load(options.model)
    print(_summary(model))
    for title, record in (
        ("backbone", model.backbone_),
        ("reference energies, eV", model.references_),
        ("fitted with", model.provenance_),
        ("parameters", model.get_params()),
    ):
        print(f"{title}:")
        for key, value in (record or {}).items():
            print("  " + _line(key, value))


def _backbones(options: argparse.Namespace) -> None:
    from mekrr.backbones.__main__ import print_all

    print_all(options.registry)


def _summary(model: MEKRR) -> str:
    """What a model is, in a few lines."""
    from ase.data import chemical_symbols

    frames = f"{len(model.leave_one_out_)}"
    if model.train_ is not None:
        species = ", ".join(chemical_symbols[z] for z in sorted(set(model.train_.species.tolist())))
        frames += f", {len(model.train_.species)} atoms: {species}"
    lines = [_line("training frames", frames), _line("target", model.target)]
    if model.backbone_ is not None:
        lines.append(_line("backbone", model.backbone_["name"]))
    for name in ("layer", "alpha", "regularisation"):
        value = getattr(model, f"{name}_")
        if value is not None:
            chosen = getattr(model, name) is None
            how = f"chosen by {model.criterion_}" if chosen and model.criterion_ else "given"
            lines.append(_line(name, f"{value:.3g} ({how})"))
    if model.lengthscale_ is not None:
        lines.append(_line("lengthscale", f"{model.lengthscale_:.4g} ({model.lengthscale})"))
    lines.append(_line("leave-one-out", _quality(model.leave_one_out_)))
    return "\n".join(lines)


def _line(label: str, value: object) -> str:
    return f"{label:16s} {value}"


def _errors(
    predicted: Sequence[float], reference: Sequence[float], frames: Sequence[Atoms]
) -> np.ndarray:
    """Signed errors in meV/atom of energies in eV."""
    import numpy as np

    difference = np.asarray(predicted) - np.asarray(reference)
    return 1000.0 * difference / np.array([len(atoms) for atoms in frames])


def _quality(errors: np.ndarray) -> str:
    from mekrr.evaluation import mae, rmse

    return f"RMSE {rmse(errors):.2f}, MAE {mae(errors):.2f} meV/atom"


def _keep(output: str, *inputs: str) -> None:
    """Raise a DataError if writing ``output`` would overwrite an input."""
    for path in inputs:
        if Path(output).resolve() == Path(path).resolve():
            raise DataError(f"{output}: is an input; write to another file")


def _show_warning(message: Warning, *_: object) -> None:
    print(f"mekrr: warning: {message}", file=sys.stderr)
