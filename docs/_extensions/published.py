"""The paper's own numbers, from the tables that the study puts beside its own."""

from __future__ import annotations

import csv
from pathlib import Path

from docutils import nodes
from sphinx.util.docutils import SphinxDirective
from tables import markdown

FOLDER = "workflow/resources/published"


class Published(SphinxDirective):
    """Show RMSE / MAE in meV/atom, a row for each method and a column for each place."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        path = Path(self.env.srcdir).parent / FOLDER / f"{self.arguments[0]}.csv"
        self.env.note_dependency(str(path))
        found: dict[str, dict[str, str]] = {}
        notes: list[str] = []
        with open(path, encoding="utf-8", newline="") as stream:
            for row in csv.DictReader(stream):
                place = row.get("dataset") or f"{row['source']} → {row['target']}"
                errors = f"{row['rmse_mev_per_atom']} / {row['mae_mev_per_atom']}"
                found.setdefault(row["method"], {})[place] = errors
                if row.get("note"):
                    notes.append(f"{row['method']} on {place}: {row['note']}.")
        places = list(dict.fromkeys(place for errors in found.values() for place in errors))
        head = ["RMSE / MAE, meV/atom", *places]
        rows = [[name, *(errors[place] for place in places)] for name, errors in found.items()]
        return self.parse_text_to_nodes("\n".join([markdown(head, rows), "", *notes]))


def setup(app):
    app.add_directive("published", Published)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
