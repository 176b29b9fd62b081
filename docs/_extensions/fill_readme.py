"""Write generated tables between their marks in README.md: python docs/_extensions/fill_readme.py

A mark is ``<!-- numbers: NAME -->``, up to ``<!-- end -->``; what stands there is
``docs/_generated/NAME.md``.
"""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).parents[1]
README = DOCS.parent / "README.md"
MARKED = re.compile(r"(<!-- numbers: ([\w.]+) -->\n).*?(<!-- end -->)", re.S)


def filled(text: str) -> str:
    """Return the text with what is generated in its places."""

    def generated(match: re.Match) -> str:
        content = (DOCS / "_generated" / f"{match[2]}.md").read_text(encoding="utf-8")
        return match[1] + content + match[3]

    return MARKED.sub(generated, text)


if __name__ == "__main__":
    README.write_text(filled(README.read_text(encoding="utf-8")), encoding="utf-8")
