"""Numbers that were measured come from records of runs, in README and on the site."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from fill_readme import MARKED, README, filled
from records import read

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(path for path in DOCS.rglob("*.md") if "_build" not in path.parts)
FENCE = re.compile(r"(`{3,}|:{3,})(.*)")
UNITS = r"meV|%|[kMGT]i?B\b|s\b|min\b|(?:milli)?seconds?\b|minutes?\b|hours?\b|steps/s|times\b"
MEASURED = re.compile(rf"(?<![\d/])\d[\d.,]*(?: ±[ \d.]+)?(?: to \d[\d.]*)? ?(?:{UNITS})")
INCLUDED = [ROOT / "config/README.md", ROOT / "profiles/README.md"]  # by pages
SETTINGS = {"95 %", "68 %", "1 MiB"}  # of intervals, by definition; the largest file of YAML


def without_code(text):
    """A page without what stands between fences, but for the text in directives."""
    kept, fences = [], []
    for line in text.splitlines():
        fence = FENCE.fullmatch(line.strip())
        if fence and fences and fence[2] == "" and fence[1] == fences[-1][0]:
            fences.pop()
        elif fence and not (fences and fences[-1][1]):
            fences.append((fence[1], not fence[2].strip().startswith("{")))
        elif not (fences and fences[-1][1]):
            kept.append(line)
    return re.sub("`[^`]+`", "", "\n".join(kept))


def typed(text):
    """Quantities with a unit of something measured that are typed in a page."""
    text = MARKED.sub("", without_code(text))
    return [match[0] for match in MEASURED.finditer(text) if match[0] not in SETTINGS]


@pytest.mark.parametrize(
    "page", [README, *INCLUDED, *PAGES], ids=lambda page: str(page.relative_to(ROOT))
)
def test_no_measured_number_is_typed(page):
    assert typed(page.read_text(encoding="utf-8")) == []


def test_a_typed_number_is_found():
    text = "It has 1.42 meV/atom, of `3 s` and\n```\n2 GB\n```\n**78.5 ± 2 meV/Å**\n"
    text += "```{record} run\n```\nin 41 s\n:::{note}\n7 GB\n```python\n1 s\n```\n:::\n5 %\n"
    assert typed(text) == ["1.42 meV", "78.5 ± 2 meV", "41 s", "7 GB", "5 %"]


def test_readme_has_the_numbers_of_the_records():
    text = README.read_text(encoding="utf-8")
    assert MARKED.search(text)
    assert filled(text) == text, "make numbers"


def test_every_record_states_its_run():
    assert read(DOCS)


def test_readme_is_short():
    assert len(README.read_text(encoding="utf-8").split()) <= 900
