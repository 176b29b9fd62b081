"""The parser of the command, made ready for sphinx-argparse, which takes help for reST."""

from __future__ import annotations

import argparse
import re
from functools import partial

import mekrr.cli

WIDTH = 80  # of usages, whatever terminal builds the site
CODE = re.compile(  # commands, options, files, keys
    r"`([^`]+)`|(?<![\w-])(--[a-z][a-z0-9-]*|FILE@[^\s,;]+|PREFIX[.\w]+|[a-z]+_[a-z_]+(?:=\w+)?)"
)


def parser() -> argparse.ArgumentParser:
    """Return the parser with options, files and keys in its help marked as code.

    Each option has the name of its value beside it, each default is in the help.
    """
    whole = mekrr.cli.parser()
    _make_ready(whole)
    return whole


def _make_ready(one: argparse.ArgumentParser) -> None:
    states_defaults = one.formatter_class is argparse.ArgumentDefaultsHelpFormatter
    one.formatter_class = partial(argparse.HelpFormatter, width=WIDTH)
    one.usage = one.format_usage().removeprefix("usage: ").strip().replace("%", "%%")
    one.description, one.epilog = _marked(one.description), _marked(one.epilog)
    for group in one._action_groups:
        group.title = {"positional arguments": "Arguments", "options": "Options"}.get(
            group.title, group.title.capitalize()
        )
        group.description = _marked(group.description)
    for action in one._actions:
        action.help = _marked(
            action.help and action.help.replace("%(default)s", str(action.default))
        )
        if isinstance(action, argparse._SubParsersAction):
            for told in action._choices_actions:
                child = action.choices[told.dest]
                child.description = child.description or f"{told.help.capitalize()}."
                _make_ready(child)
        elif action.option_strings:
            if states_defaults and action.default is not argparse.SUPPRESS:
                action.help += f" (default: {action.default})"
            if action.metavar is not None:
                _put_beside(action, action.metavar)
            elif action.choices is not None:
                _put_beside(action, "|".join(action.choices))
                action.choices = None


def _put_beside(action: argparse.Action, value: str) -> None:
    action.option_strings = [f"{name} {value}" for name in action.option_strings]


def _marked(text: str | None) -> str | None:
    return text and CODE.sub(lambda found: f"``{found[1] or found[2]}``", text)
