"""Tables as an HTML page of its own."""

from __future__ import annotations

from collections.abc import Sequence

from mekrr.study.tables.printing.escapes import for_html
from mekrr.study.tables.printing.grid import Cell, Grid, extra, printed_rows

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{title}</title>
<style>
body {{ font: 14px/1.45 system-ui, sans-serif; margin: 1.5em; color: #222; background: #fff; }}
h1 {{ font-size: 1.5em; }}
h2 {{ font-size: 1.15em; margin: 1.6em 0 0.5em; }}
.frame {{ overflow: auto; max-height: 92vh; width: fit-content; max-width: 100%; }}
table {{ border-collapse: separate; border-spacing: 0;
  border-top: 2px solid #222; border-bottom: 2px solid #222; }}
thead {{ position: sticky; top: 0; background: #fff; }}
th {{ text-align: left; vertical-align: bottom; }}
th, td {{ padding: 0.2em 0.6em; white-space: nowrap; }}
thead tr:last-child th, th.stub {{ border-bottom: 1px solid #222; }}
th.group {{ text-align: center; border-bottom: 1px solid #999; border-left: 1em solid #fff; }}
.number {{ text-align: right; font-variant-numeric: tabular-nums; }}
th.number {{ text-align: center; }}
.first {{ border-left: 1em solid transparent; }}
.grouped td:first-child, th.stub:first-child {{ position: sticky; left: 0; background: #fff; }}
small {{ display: inline-block; width: var(--room); text-align: left; white-space: pre;
  color: #666; font-size: 0.85em; }}
.grouped tr.opens:not(:first-child) td {{ border-top: 1px solid #ddd; }}
.quoted td {{ color: #777; font-style: italic; }}
.flat tbody tr:nth-child(even) td {{ background: #f5f5f5; }}
.flat td:last-child:nth-child(-n+4) {{ white-space: normal; min-width: 24em; }}
tbody tr:hover td {{ background: #eef4fb; }}
p {{ max-width: 60em; }}
</style></head><body>
<h1>{title}</h1>
{tables}
{notes}
</body></html>
"""


def page(title: str, grids: Sequence[Grid], notes: Sequence[str]) -> str:
    """A page of its own that loads nothing from elsewhere."""
    tables = "\n".join(_table(grid) for grid in grids)
    paragraphs = "\n".join(f"<p>{for_html(note)}</p>" for note in notes)
    return _PAGE.format(title=for_html(title), tables=tables, notes=paragraphs)


def _table(grid: Grid) -> str:
    kinds = [
        "number" if k else "number first" for _, heads in grid.groups for k in range(len(heads))
    ]
    head = "".join(f"<th>{for_html(text)}</th>" for text in grid.stub)
    if grid.groups:
        stubs = "".join(f'<th rowspan="2" class="stub">{for_html(text)}</th>' for text in grid.stub)
        groups = "".join(
            f'<th colspan="{len(heads)}" class="group">{for_html(name)}</th>'
            for name, heads in grid.groups
        )
        heads = "".join(
            f'<th class="{kind}">{for_html(text)}</th>'
            for text, kind in zip(
                (h for _, group in grid.groups for h in group), kinds, strict=True
            )
        )
        head = f"{stubs}{groups}</tr><tr>{heads}"
    room = max((len(extra(cell)) for row in grid.rows for cell in row.cells), default=0)
    lines = []
    for row, stub, opens in printed_rows(grid):
        marks = [name for name, on in (("quoted", row.quoted), ("opens", opens)) if on]
        texts = "".join(f"<td>{for_html(text)}</td>" for text in stub)
        numbers = "".join(_cell(cell, kind) for cell, kind in zip(row.cells, kinds, strict=True))
        lines.append(f'<tr class="{" ".join(marks)}">{texts}{numbers}</tr>')
    title = f"<h2>{for_html(grid.title)}</h2>\n" if grid.title else ""
    kind = "grouped" if grid.groups else "flat"
    body = "\n".join(lines)
    return (
        f'{title}<div class="frame"><table class="{kind}" style="--room: {room}ch">'
        f"<thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table></div>"
    )


def _cell(cell: Cell, kind: str) -> str:
    text = for_html(cell.value)
    text = f"<b>{text}</b>" if cell.best else text
    detail = f' title="{for_html(cell.detail)}"' if cell.detail else ""
    return f'<td class="{kind}"{detail}>{text}<small>{for_html(extra(cell))}</small></td>'
