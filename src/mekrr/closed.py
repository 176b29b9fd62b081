"""Closed, typed models of what files and callers may say, and the types that they share.

`mekrr.errors.first_fault` tells what they refuse.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from mekrr.choices import SYMBOLS
from mekrr.errors import printable

T = TypeVar("T")


class Closed(BaseModel):
    """A mapping that knows all its keys: no other is taken, no type bent, no number infinite."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _all_keys_known(cls, value: Any) -> Any:
        """Refuse the first unknown key, with a guess at what it should be."""
        known = cls.model_fields
        if isinstance(value, dict) and not value.keys() <= known.keys():
            unknown = min(str(key) for key in value if key not in known)
            guess, listed = suggestion(unknown, known), ", ".join(known) or "none"
            raise fault(f"unknown key{guess}; known: {listed}", unknown, "unknown")
        return value

    def given(self, *keys: str) -> dict[str, Any]:
        """Return some keys as plain values, those that were left out apart; all if none named."""
        plain = self.model_dump(include=set(keys) or None, exclude_unset=True)
        return {key: plain[key] for key in keys if key in plain} if keys else plain


class _Absent:
    """Strip ``None`` from what an annotation takes: a key may be left out, but not be null."""

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        schema = handler(source)
        return schema["schema"] if schema["type"] == "nullable" else schema


Maybe = Annotated[T | None, _Absent()]


def maybe(annotation: Any) -> Any:
    """Return `Maybe` of a type that is known only when the program runs."""
    return Annotated[annotation | None, _Absent()]


class OneOf:
    """Take one of some words, which stand in a table of their own: ``Annotated[str, OneOf(T)]``."""

    def __init__(self, words: Iterable[str]):
        self.words = list(words)

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.literal_schema(self.words)


class Chosen:
    """Choose the member of a union by a look at the value, so that its faults alone are told.

    Parameters
    ----------
    choose : gives what validates the value, None for the whole union.
    words : what the union takes, for messages and documentation.
    """

    def __init__(self, choose: Callable[[Any], Callable[[Any], Any] | None], words: str):
        self.choose = choose
        self.words = words

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_wrap_validator_function(self._validated, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return handler(schema) | {"$comment": self.words}

    def _validated(self, value: Any, whole: Callable[[Any], Any]) -> Any:
        member = self.choose(value)
        if member is not None:
            return member(value)
        try:
            return whole(value)
        except ValidationError as error:
            raise PydanticCustomError("words", "give {words}", {"words": self.words}) from error


def validator(annotation: Any) -> Callable[[Any], Any]:
    """Return what validates values of a type that is no model, for `Chosen`; built when needed."""
    config = ConfigDict(strict=True, allow_inf_nan=False, defer_build=True)
    return TypeAdapter(annotation, config=config).validate_python


def fault(message: str, key: str = "", kind: str = "rule") -> PydanticCustomError:
    """Return what a validator of a whole model raises, about one ``key`` of it or all."""
    # Halves of surrogate pairs, which YAML can write, would break pydantic's own messages.
    told = {"message": printable(message), "key": printable(key)}
    return PydanticCustomError(kind, "{message}", told)


def suggestion(name: object, known: Iterable[str]) -> str:
    """Return a guess at what a misspelt name should be, nothing if none is close."""
    close = difflib.get_close_matches(str(name), list(known), n=1)
    return f", did you mean {close[0]!r}?" if close else ""


def _symbol(value: object) -> object:
    if isinstance(value, bool):
        hint = ' (in YAML write "No", as No is false)'
    elif isinstance(value, str) and value not in SYMBOLS:
        hint = suggestion(value, SYMBOLS)
    else:
        return value
    raise PydanticCustomError("symbol", "is no chemical symbol{hint}", {"hint": hint})


def _unique(values: list) -> list:
    if len({repr(value) for value in values}) < len(values):
        raise PydanticCustomError("unique", "has non-unique elements")
    return values


_SYMBOL = {"type": "string", "pattern": f"^({'|'.join(SYMBOLS)})$"}
Symbol = Annotated[str, BeforeValidator(_symbol), WithJsonSchema(_SYMBOL)]
Text = Annotated[str, Field(min_length=1)]
_UNIQUE = AfterValidator(_unique), Field(json_schema_extra={"uniqueItems": True})
Unique = Annotated[list[T], *_UNIQUE]
Several = Annotated[list[T], Field(min_length=1), *_UNIQUE]
