"""Numbers of runs for the pages: what was run, by which command, at which commit, on what.

A record is a YAML file in ``docs/_generated`` (written by a rule from a run's tables) or in
``docs/records`` (taken down from the output of a run that nobody repeats for the site). It has

    run:
      what: ...
      command: ...
      commit: ...
      date: ...
      machine: ...
    numbers:
      name_of_a_number: 1.04 ± 0.02 meV/atom

A page writes ``{{ record.name_of_a_number }}``, where ``record`` is the name of the file, and
shows where the numbers come from with the directive ``record``::

    ```{record} real_cuformate
    ```

Tables are CSV files beside the record, for the directive ``csv-table``.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import yaml
from docutils import nodes
from sphinx.util.docutils import SphinxDirective

FOLDERS = ("_generated", "records")
LINES = ("what", "command", "commit", "date", "machine")


@cache
def read(docs: Path) -> dict[str, dict]:
    """All records by name, each with its path; two of one name are refused."""
    records: dict[str, dict] = {}
    for folder in FOLDERS:
        for path in sorted((docs / folder).glob("*.yaml")):
            if path.stem in records:
                raise ValueError(f"two records have the name {path.stem}: rename one")
            record = yaml.safe_load(path.read_text(encoding="utf-8"))
            missing = [line for line in LINES if not record["run"].get(line)]
            if missing:
                raise ValueError(f"{path}: the run lacks {', '.join(missing)}")
            records[path.stem] = record | {"path": path}
    return records


def substitutions(docs: Path) -> dict[str, dict[str, str]]:
    """Numbers of each record, as text."""
    return {
        name: {key: str(text) for key, text in (record.get("numbers") or {}).items()}
        for name, record in read(docs).items()
    }


class Record(SphinxDirective):
    """Show what was run for a record."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        (name,) = self.arguments
        records = read(Path(self.env.srcdir))
        if name not in records:
            raise self.error(f"no record {name}: there are {', '.join(records)}")
        run = records[name]["run"]
        fields = nodes.field_list(classes=["record"])
        for line in LINES:
            text = str(run[line]).strip()
            shown = nodes.literal if line in ("command", "commit") else nodes.inline
            body = nodes.field_body("", nodes.paragraph("", "", shown(text, text)))
            fields += nodes.field("", nodes.field_name(text=line), body)
        self.env.note_dependency(str(records[name]["path"]))
        return [fields]


def setup(app):
    app.add_directive("record", Record)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
