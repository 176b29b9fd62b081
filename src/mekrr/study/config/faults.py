"""What the models refuse, told in one line that names the key and guesses the typo."""

from __future__ import annotations

import re

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from mekrr.backbones.entry import URL
from mekrr.closed import suggestion
from mekrr.study.config.types import NAME

RULE = "rule"  # of the values of a mapping that is well formed
KINDS = {
    "bool_type": "boolean",
    "dict_type": "object",
    "float_type": "number",
    "int_type": "integer",
    "list_type": "array",
    "model_type": "object",
    "string_type": "string",
}
# Of values that are not valid: why.
REASONS = {
    "greater_than": "is less than or equal to the minimum of {gt:g}",
    "greater_than_equal": "is less than the minimum of {ge:g}",
    "less_than": "is greater than or equal to the maximum of {lt:g}",
    "less_than_equal": "is greater than the maximum of {le:g}",
    "string_pattern_mismatch": "does not match {pattern}",
    "string_too_short": "should be non-empty",
    "too_long": "should have {max_length} elements",
}
# What texts of a pattern are, in words.
PATTERNS = {
    NAME: "up to 80 letters, digits, dots, dashes and underscores, the first a letter or digit",
    URL: "an address that begins with https:// or http://",
}


def first_fault(error: ValidationError, order: tuple[str, ...]) -> ErrorDetails:
    """Return the fault to mend first: of form before rules, outer before inner ones.

    ``order`` names sections that come after all others.
    """

    def rank(found: ErrorDetails) -> tuple[bool, int, int]:
        section = found["loc"][0] if found["loc"] else ""
        place = order.index(section) + 1 if section in order else 0
        return found["type"] == RULE, place, len(_place(found))

    return min(error.errors(include_url=False), key=rank)


def one_line(found: ErrorDetails) -> str:
    """Return what a fault is, after the key that it is about."""
    kind, context = found["type"], found.get("ctx", {})
    place = _place(found)
    if kind in (RULE, "unknown"):
        key = ".".join(filter(None, [*map(str, place), context["key"]]))
        return f"{key}: {context['message']}"
    key = ".".join(map(str, place)) or "config"
    if kind == "missing":
        return f"{key}: key `{found['loc'][-1]}` is missing; add it"
    value = repr(found["input"])[:80]
    words = context.get("words") or PATTERNS.get(context.get("pattern", ""))
    if words:
        return f"{key}: {value} is not valid; give {words}"
    if kind in KINDS:
        return f"{key}: {value} should be of type {KINDS[kind]}{_hint(found)}"
    if kind == "symbol":
        return f"{key}: {value} {found['msg']}"
    return f"{key}: {value} is not valid: it {_reason(found)}"


def _place(found: ErrorDetails) -> tuple[str | int, ...]:
    """Keys down to what a fault is about: a missing key and a refused one count as their outer."""
    place = found["loc"]
    if place and place[-1] == "[key]":
        return place[:-2]
    return place[:-1] if found["type"] == "missing" else place


def _reason(found: ErrorDetails) -> str:
    context = found.get("ctx", {})
    if found["type"] == "too_short":
        least = context["min_length"]
        return "should be non-empty" if least == 1 else f"should have {least} elements"
    if found["type"] == "literal_error":
        known = re.findall("'([^']*)'", context["expected"])
        return f"is none of {', '.join(known)}{suggestion(found['input'], known)}"
    reason = REASONS.get(found["type"])
    return reason.format_map(context) if reason else found["msg"]


def _hint(found: ErrorDetails) -> str:
    if isinstance(found["input"], str) and found["type"] in ("float_type", "int_type"):
        return " (in YAML write 1.0e-3, since 1e-3 is a string)"
    return ""
