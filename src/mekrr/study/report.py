"""Snakemake's own report of a study, as it is configured, opening on what came out."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import yaml

from mekrr.errors import MekrrError
from mekrr.files import atomic_path
from mekrr.study.overview import overview
from mekrr.study.tables.printing.escapes import inert_report
from mekrr.study.tables.provenance import RAN, facts

OWN_TITLE = "<title>Snakemake Report</title>"
TITLE = "<title>MEKRR: report of a study</title>"
# Where the page's style ends, and the script of its frame, which begins to draw at once.
PLACES = {
    "style": re.compile(r"(?<=\n)</head>\n\n<body>\n"),
    "script": re.compile(r"(?<=\n)    <script>'use strict';\s+let app;\s+class App extends "),
}


def write_report(
    path: str,
    config: Mapping,
    verdict: str | None,
    provenance: str,
    assets: Mapping[str, str],
    log: str,
) -> None:
    """Write one HTML file of all tables and figures, in which no text of a user can act.

    Parameters
    ----------
    config : all of the configuration, overlays included.
    verdict : the table that the first page shows, None if nothing was fitted.
    provenance : the table of versions and hardware.
    assets : files of the first page's "style" and "script".
    log : where Snakemake's words go, for the MekrrError that is raised if it fails.
    """
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--nolock", "--report"]
    table = pd.read_csv(verdict) if verdict else pd.DataFrame()
    first = overview(table, config, facts(pd.read_csv(provenance), RAN))
    with tempfile.TemporaryDirectory() as folder, atomic_path(path) as temporary:
        overlay = Path(folder, "config.yaml")
        overlay.write_text(yaml.safe_dump(config))
        done = subprocess.run(
            [*command, temporary, "--configfile", overlay],
            capture_output=True,
            text=True,
            check=False,
        )
        print(done.stderr)
        if done.returncode:
            last = done.stderr.strip().splitlines()[-1]
            raise MekrrError(f"report: snakemake says: {last}; see {log}")
        texts = {name: Path(asset).read_text("utf-8") for name, asset in assets.items()}
        page = inert_report(temporary.read_text("utf-8"))
        data = {"overview": first, "datasets": config["study"]["datasets"]}
        temporary.write_text(with_overview(page, data, **texts), encoding="utf-8")


def with_overview(page: str, data: Mapping[str, object], style: str, script: str) -> str:
    """Return a report that opens on a first page.

    Raises a MekrrError if the report is not built as it is known to be.

    Parameters
    ----------
    page : Snakemake's report.
    data : what the script of the first page finds in variables: ``overview``, the HTML of the
        page, and ``datasets``, their names in order.
    style, script : of the first page.
    """
    values = [f"    var {name} = {json.dumps(value)};" for name, value in data.items()]
    texts = "\n".join(values).replace("<", r"\u003c")
    code = f'    <script id="overview">\n{texts}\n    </script>\n'
    added = {
        "style": f"    <style>\n{style}    </style>\n",
        "script": f"{code}    <script>\n{script}    </script>\n",
    }
    for name, place in PLACES.items():
        if len(place.findall(page)) != 1:
            raise MekrrError(
                f"report: no place for the {name} of the first page; use the pinned version of "
                "snakemake"
            )
        (found,) = place.finditer(page)
        page = page[: found.start()] + added[name] + page[found.start() :]
    return page.replace(OWN_TITLE, TITLE, 1)
