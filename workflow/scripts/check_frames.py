"""Raw trajectory to checked frames and their table."""

import logging

from mekrr.choices import PARTS
from mekrr.data.expectations import energy_doubt, meet
from mekrr.data.frames import (
    MINIMUM_FRAMES,
    frame_table,
    read_frames,
    require_different,
    thin_out,
    verify_checksum,
    write_frames,
)
from mekrr.data.references import separate_isolated, with_isolated
from mekrr.files import write_csv
from mekrr.study.job import TERMINAL, job

with job(snakemake):
    files = list(snakemake.input.trajectories)
    source = ", ".join(files)
    if snakemake.params.sha256:
        verify_checksum(files[0], snakemake.params.sha256)
    entry = snakemake.params.dataset
    frames = read_frames(
        dict(zip(PARTS, files, strict=True)) if len(files) > 1 else files[0],
        least=MINIMUM_FRAMES,
        **snakemake.params.reading,
    )
    meet(frames, entry, source)
    logging.info("%s: %d frames checked", snakemake.wildcards.dataset, len(frames))
    energies = [atoms.get_potential_energy() for atoms in frames]
    kept, isolated = separate_isolated(frames, energies, source)
    frames = thin_out([frames[index] for index in kept], snakemake.params.every, source)
    require_different(frames, source)
    table = with_isolated(frame_table(frames), isolated)
    if isolated:
        logging.info("isolated atoms, kept for references alone: %s", isolated)
    doubt = energy_doubt(table, entry.get("energy_range"))
    if doubt:
        TERMINAL.warning("%s: %s", source, doubt)
    table["offset"] = write_frames(snakemake.output.frames, frames)
    write_csv(snakemake.output.table, table)
