"""Train a network; its predictions, errors by epoch, costs and weights."""

from pathlib import Path

from mekrr.backbones.load import load_network
from mekrr.data.frames import load_frames
from mekrr.models.fits import Problem, write_fit
from mekrr.models.network.fit import fit_network
from mekrr.models.network.settings import Settings
from mekrr.models.network.states import States
from mekrr.study.job import job

with job(snakemake):
    given, wildcards, params = snakemake.input, snakemake.wildcards, snakemake.params
    rule, dataset, seed = params.reference_energy, wildcards.dataset, int(wildcards.seed)
    weights = next(iter(given.weights), None)
    fitted = fit_network(
        Problem.read(given.table, given.split, rule, dataset),
        load_network(wildcards.network, weights=weights, seed=seed, **params.model),
        States(given.states),
        Settings(**params.training),
        reference_energy=rule,
        source=dataset,
        seed=seed,
        checkpoint=params.checkpoint,
        frames=load_frames(given.frames[0]) if given.frames else None,
    )
    paths, labels = dict(snakemake.output.items()), dict(wildcards.items())
    fitted.save(paths.pop("model"), labels | params.model)
    write_fit(fitted.tables(params.method), labels, paths)
    Path(params.checkpoint).unlink(missing_ok=True)
