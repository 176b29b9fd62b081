"""First page of the report: what was run and what came out, as HTML."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import pandas as pd

from mekrr.study.experiments.calibration import SHARES
from mekrr.study.tables.comparison import dataset_places
from mekrr.study.tables.printing.escapes import for_html
from mekrr.study.tables.printing.grid import MISSING
from mekrr.study.tables.verdict import (
    BETTER,
    EQUAL,
    HIGHER,
    JOINED,
    LOWER,
    OPPONENTS,
    SAME,
    WORSE,
    difference_of,
    error_of,
    of_seeds,
    percent,
    rows_of,
    short_split,
    spoken,
)

NAMES = {"fine_tuned": "fine‑tuned", "untouched": "untouched"}  # networks; not broken at the hyphen
GOALS = {"fine_tuned": "fine‑tuning", "untouched": "the untouched network"}
MARKS = {BETTER: "good", LOWER: "good", WORSE: "bad", HIGHER: "bad", SAME: "even", EQUAL: "even"}
MIDDLE, REACH = 60.0, 56.0  # of the drawing of a difference: its zero, and 100 % to either side
CAPTION = "Test RMSE of total energies, meV/atom"
SPREADS = {True: "mean ± standard deviation over seeds", False: "95 % interval over test frames"}
READING = (
    "MEKRR is MEKRR-α or Δ-MEKRR (of large data sets a sparse model), whichever has the lower "
    "error on the validation frames of a seed; the networks beside it are chosen likewise, and so "
    "is the best method: test frames choose nothing. Verdict: “better” and “worse” leave zero out "
    "of the 95 % interval of the difference, taken seed by seed on the same test frames; “no "
    "clear difference” does not show that two methods are equal. Drawn are the difference and "
    "this interval, to ±100 % of the network's error. Near duplicates: test frames that have one "
    "in training. Within σ, 2 σ: test errors within one and two predicted standard deviations of "
    "MEKRR; 68 % and 95 % would be right."
)
WORDS = {
    "MEKRR": (
        "kernel ridge regression on the vectors (features) that a pre-trained network, left as it "
        "is, gives to the atoms of a frame. Two frames are as alike as their atoms are on average "
        "(K₀)."
    ),
    "MEKRR-α": (
        "the kernel is (1 − α) K₀ + α K₁, where K₁ compares atoms with those of the same species "
        "alone. By LOO: α, λ and layer are chosen by leave-one-out errors of training frames, not "
        "on validation frames; by species: an α for each."
    ),
    "Δ-MEKRR": "MEKRR-α that learns what the network's own energy leaves.",
    "per atom": "energies add up over the atoms, whatever the size of a frame.",
    "sparse": (
        "a sum over atoms of kernels with a limited number of inducing atoms, for more frames "
        "than MEKRR can hold; + forces: learnt from forces as well as energies."
    ),
    "linear, species ridge": (
        "linear ridge regression on the mean features of a frame, of each species."
    ),
    "untouched GNN": (
        "the pre-trained network's own energy, beside an energy per species that is fitted."
    ),
    "…-FT": (
        "fine-tuning: the last layers of the pre-trained network are trained further on the "
        "training frames. SchNet without FT is trained from scratch."
    ),
    "GAP-SOAP; SOAP": (
        "a Gaussian approximation potential; and MEKRR on the vectors that it is built on, "
        "without a network."
    ),
    "training mean": (
        "an energy per species, fitted to the training frames (their mean where all have one "
        "composition): what any method must beat."
    ),
    "split at random, by run": (
        "neighbours in time are shared out among training, validation and test frames; or whole "
        "runs of dynamics are kept together. The second is the harder and the more honest test."
    ),
    "seed": (
        "one way of dividing the frames, with its own fits: validation frames choose layer, α and "
        "λ, test frames are only tested on."
    ),
}


def overview(table: pd.DataFrame, config: Mapping[str, Any], made: Mapping[str, str]) -> str:
    """Return the page, without the pictures that are put below it.

    Parameters
    ----------
    table : as `mekrr.study.tables.verdict` writes it; empty if nothing was fitted.
    config : all of the configuration.
    made : what the fits were made with: mekrr, git, cpu.
    """
    rows = rows_of(table)
    opponent = _opponent(rows)
    parts = [
        "<header>",
        "<p class='kicker'>MEKRR: report of a study</p>",
        f"<h1>{_question(rows, opponent)}</h1>",
        f"<p class='lead'>{for_html(' '.join(_answer(rows, opponent)))}</p>",
        "<dl class='run'>",
        *(f"<div><dt>{k}</dt><dd>{for_html(v)}</dd></div>" for k, v in _run(config, made)),
        "</dl>",
        "</header>",
        *(_table(rows, opponent, config["datasets"]) if rows else []),
        f"<p class='reading'>{for_html(READING)}</p>" if rows else "",
        "<h2>What the names mean</h2>",
        "<dl class='words'>",
        *(f"<div><dt>{for_html(k)}</dt><dd>{for_html(v)}</dd></div>" for k, v in WORDS.items()),
        "</dl>",
    ]
    return "\n".join(parts)


def _opponent(rows: Sequence[Mapping]) -> str:
    """Return whom MEKRR is held against: the fine-tuned network, if there is any."""
    tuned, untouched = OPPONENTS
    return tuned if any(row[f"against_{tuned}_verdict"] for row in rows) else untouched


def _question(rows: Sequence[Mapping], opponent: str) -> str:
    if any(row[f"against_{opponent}_verdict"] for row in rows):
        return f"Does MEKRR beat {GOALS[opponent]}?"
    return "How accurate is MEKRR?"


def _answer(rows: Sequence[Mapping], opponent: str) -> Iterator[str]:
    """Yield sentences that sum up the verdicts."""
    judged = [row for row in rows if row[f"against_{opponent}_verdict"]]
    if not rows:
        yield "No model was fitted in this study."
        return
    if not any(row["fine_tuned_method"] for row in rows):
        yield "No network was fine-tuned in this study."
    if not judged:
        yield "There is nothing to hold MEKRR against."
        return
    words = [row[f"against_{opponent}_verdict"] for row in judged]
    n = len(words)
    where = "combinations of data set and split" if n > 1 else "combination of data set and split"
    network = f"the {NAMES[opponent]} network"
    better, even, worse = (words.count(word) for word in (BETTER, SAME, WORSE))
    if better + even + worse:
        yield (
            f"On {better or 'none'} of {n} {where} MEKRR is better than {network}, on "
            f"{even or 'none'} there is no clear difference, on {worse or 'none'} it is worse."
        )
    single = [word for word in words if word in (LOWER, EQUAL, HIGHER)]
    if single:
        yield (
            f"Of {len(single)} divided once, {single.count(LOWER) or 'none'} has a lower error "
            f"with MEKRR than with {network}; one split cannot tell that from chance."
        )
    several = [row for row in judged if row["n_seeds"] > 1]
    if several:
        lower = sum(int(row[f"against_{opponent}_lower"]) for row in several)
        total = sum(int(row["n_seeds"]) for row in several)
        yield f"Seed by seed, its error is the lower one {lower} times out of {total}."


def _run(config: Mapping[str, Any], made: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield what was run, as names and texts."""
    study = config["study"]
    places = dataset_places({name: config["datasets"][name] for name in study["datasets"]})
    n, every = len(places), study["every"]
    text = f"{n} data set{'s' if n > 1 else ''}" + (f", one frame in {every}" if every > 1 else "")
    stand_ins = [p.published for p in places.values() if p.published and not p.same]
    if stand_ins:
        text += f"; surrogates of this project stand in for the paper's {', '.join(stand_ins)}"
    yield "Data", text
    registry = config["backbones"]
    yield (
        "Frozen features",
        ", ".join(registry.get(name, {}).get("title", name) for name in study["backbones"]),
    )
    if study["networks"]:
        yield (
            "Trained networks",
            ", ".join(config["networks"][name]["method"] for name in study["networks"]),
        )
    splits = ", ".join(map(short_split, study["splits"]))
    several = "seeds" if len(study["seeds"]) > 1 else "seed"
    yield "Splits", f"{splits}; {several} {', '.join(map(str, study['seeds']))}"
    known = {k: v for k, v in made.items() if v != "unknown"}  # as outside of a repository
    words = {"mekrr": "mekrr {}", "git": "commit {}", "cpu": "on {}"}
    yield "Made with", ", ".join(w.format(known[k]) for k, w in words.items() if k in known)


def _table(rows: Sequence[Mapping], opponent: str, datasets: Mapping[str, Mapping]) -> list[str]:
    """Return the table of verdicts: a body for each data set, a row for each way of splitting."""
    several = {row["n_seeds"] > 1 for row in rows if pd.notna(row["mekrr_rmse_low"])}
    caption = "; ".join([CAPTION, *(text for key, text in SPREADS.items() if key in several)])
    lines = [f"<table class='verdicts'><caption>{caption}</caption><thead><tr>"]
    heads = [("Data set", ""), *_heads(opponent)]
    lines += [f"<th scope='col' class='{k}'>{head}</th>" for head, k in heads]
    lines.append("</tr></thead>")
    for name, group in groupby(rows, key=lambda row: row["dataset"]):
        of_dataset = list(group)
        title = for_html(datasets[name].get("title", name))
        named = f"<th scope='rowgroup' rowspan='{len(of_dataset)}'>{title}</th>"
        lines.append("<tbody>")
        for row in of_dataset:
            cells = zip(_heads(opponent), _cells(row, opponent), strict=True)
            texts = [
                f"<td class='{kind}' data-head='{head}'>{text}</td>" for (head, kind), text in cells
            ]
            lines.append(f"<tr>{named}{''.join(texts)}</tr>")
            named = ""
        lines.append("</tbody>")
    return [*lines, "</table>"]


def _heads(opponent: str) -> list[tuple[str, str]]:
    """Return the heading and the kind of each column but the first."""
    return [
        ("Split", "split"),
        ("Untouched network", "number"),
        *([("Fine‑tuned network", "number")] if opponent == "fine_tuned" else []),
        ("MEKRR", "number"),
        (f"MEKRR − {NAMES[opponent]}", "drawn"),
        ("Verdict", "verdict"),
        ("Best method", "best"),
        ("Near duplicates", "number"),
        ("Within σ, 2 σ", "number"),
    ]


def _cells(row: Mapping, opponent: str) -> list[str]:
    """Return the cells of a row, those of `_heads`."""
    word = row[f"against_{opponent}_verdict"]
    several = row["n_seeds"] > 1 and word
    shares = [percent(row[share]) for share in SHARES]
    best = error_of(row, "best") if row["best_method"] else ""
    return [
        _two(short_split(row["strategy"]), _frames(row)),
        _two(error_of(row, "untouched")),
        *([_tuned(row)] if opponent == "fine_tuned" else []),
        _two(error_of(row, "mekrr"), spoken(row, "mekrr")),
        _two(difference_of(row, opponent)) + _drawn(row, opponent),
        f"<b class='{MARKS.get(word, 'none')}'>{for_html(word or 'not compared')}</b>"
        + (_small(f"lower on {of_seeds(row, opponent)} seeds") if several else ""),
        _two(spoken(row, "best"), best),
        _two(percent(row["near_duplicates"])),
        _two(MISSING if MISSING in shares else ", ".join(shares)),
    ]


def _tuned(row: Mapping) -> str:
    return _two(error_of(row, "fine_tuned"), spoken(row, "fine_tuned").replace(MISSING, ""))


def _frames(row: Mapping) -> str:
    """Return how many frames are trained and tested on."""
    return f"{row['n_train']:,.0f} train, {row['n_test']:,.0f} test"


def _two(text: str, below: str = "") -> str:
    return for_html(text) + "".join(map(_small, below.split(JOINED)))


def _small(text: str) -> str:
    return f"<small>{for_html(text)}</small>" if text else ""


def _drawn(row: Mapping, opponent: str) -> str:
    """Return a drawing of a difference and its interval, from -100 % to 100 % of the opponent."""
    mean, low, high = (row[f"against_{opponent}_{key}"] for key in ("mean", "low", "high"))
    error = row[f"{opponent}_rmse"]
    if pd.isna(mean) or not error > 0:
        return ""
    ends = [mean, mean] if pd.isna(low) else [low, high]
    at, left, right = (_place(value / error) for value in (mean, *ends))
    kind = MARKS[row[f"against_{opponent}_verdict"]]
    return (
        f"<svg viewBox='0 0 {2 * MIDDLE:g} 14' class='{kind}' role='img' "
        f"aria-label='{100 * mean / error:+.0f} %'>"
        f"<line class='track' x1='{_place(-1):g}' x2='{_place(1):g}' y1='7' y2='7'/>"
        f"<line class='zero' x1='{MIDDLE:g}' x2='{MIDDLE:g}' y1='0' y2='14'/>"
        f"<line class='range' x1='{left:.1f}' x2='{right:.1f}' y1='7' y2='7'/>"
        f"<circle cx='{at:.1f}' cy='7' r='3.5'/></svg>"
    )


def _place(share: float) -> float:
    """Return where a share of the opponent's error is drawn; what is beyond stands at the end."""
    return MIDDLE + REACH * min(max(share, -1.0), 1.0)
