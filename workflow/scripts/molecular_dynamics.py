"""Molecular dynamics with what was fitted to a surrogate, and with the potential that made it."""

from diep.pretrained import make_calculator

from mekrr.calculator.calculator import Calculator
from mekrr.dynamics.limits import Limits
from mekrr.dynamics.settings import Settings
from mekrr.models.problem import Problem
from mekrr.study.experiments.molecular_dynamics.facts import TRUE
from mekrr.study.experiments.molecular_dynamics.runs import start_of, write_runs
from mekrr.study.experiments.potentials import potentials
from mekrr.study.job import job

with job(snakemake):
    given, params, wildcards = snakemake.input, snakemake.params, snakemake.wildcards
    truth = make_calculator(stress=False)
    calculators = [(TRUE, truth)]
    if params.kind:
        problem = Problem.read(given.table, given.split, params.reference_energy, wildcards.dataset)
        fitted = potentials(params.kind, snakemake, problem)
        calculators = [(m, Calculator(p, std=False)) for m, p in fitted if m in params.simulated]
    start, output = start_of(given.frames, given.split), dict(snakemake.output.items())
    how = Settings(**params.settings), Limits(**params.limits), params.checkpoint
    labels = {"backbone": "none"} | dict(wildcards.items())
    write_runs(calculators, start, truth, *how, output, labels)
