"""What a registry says of a backbone: the family that adapts it, its weights, options, layers."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    Field,
    GetJsonSchemaHandler,
    NonNegativeInt,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import CoreSchema, PydanticCustomError

from mekrr.backbones.families import Family, families
from mekrr.closed import Closed, Maybe, Several, Text, fault, suggestion

Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
PRETRAINED = Path(__file__).parent / "pretrained"
URL = r"^https?://\S+$"
FileName = Annotated[str, Field(pattern="^[A-Za-z0-9][A-Za-z0-9._-]{0,149}$")]


def _known_family(name: str) -> str:
    known = families()
    if name not in known:
        raise PydanticCustomError(
            "none_of",
            "is none of {known}{guess}",
            {"known": ", ".join(known), "guess": suggestion(name, known)},
        )
    return name


FamilyName = Annotated[
    str, AfterValidator(_known_family), Field(json_schema_extra={"enum": list(families())})
]


class Download(Closed):
    """A public file, or one inside an archive."""

    url: Annotated[str, Field(pattern=URL)] = Field(
        description="address of the file, or of an archive (tar, zip) that holds it"
    )
    file: FileName = Field(description="name to keep it under")
    sha256: Maybe[Sha256] = Field(
        None,
        description="its checksum. Without it the first download's is recorded beside the file and "
        "enforced from then on",
    )

    member: Maybe[Text] = Field(
        None, description="its path inside an archive, or its name if only one file has it"
    )

    @property
    def key(self) -> str:
        """Name of the folder: of the checksum, or of the address where that is unknown.

        A changed source thus never overwrites another.
        """
        return (self.sha256 or hashlib.sha256(self.url.encode()).hexdigest())[:12]

    @property
    def folder(self) -> str:
        """Folder that it goes to, from the one in which one works."""
        return f"results/downloads/{self.key}"

    @property
    def members(self) -> list[str]:
        """Paths inside the archive."""
        return [self.member] if self.member else []

    @property
    def files(self) -> list[str]:
        """What it becomes: the file itself, or members of the archive."""
        members = [f"{self.folder}/members/{member_file(member)}" for member in self.members]
        return members or [f"{self.folder}/{self.file}"]


def member_file(member: str) -> str:
    """Return a member's path inside its archive as one file name."""
    return re.sub(r"[^A-Za-z0-9._-]+", "__", member)


class Weights(Closed):
    """Where a file of weights is, or comes from."""

    path: Maybe[Text] = Field(None, description="the file")
    download: Maybe[Download] = Field(None, description="where it comes from")
    packaged: Maybe[FileName] = Field(None, description="its name among those that mekrr brings")

    @model_validator(mode="after")
    def _one_of_them(self) -> Weights:
        if len(self.given()) != 1:
            raise fault("give either `path` or `download`")
        return self

    @property
    def file(self) -> str:
        """Where the file is or, once it is downloaded, will be.

        One that mekrr brings, from the folder in which one works: records name no place.
        """
        if self.packaged:
            return os.path.relpath(PRETRAINED / self.packaged)
        return self.download.files[0] if self.download else str(self.path)


class BackboneEntry(Closed):
    """A backbone in a registry, apart from its name."""

    family: FamilyName = Field(description="the adapter, below")
    weights: Maybe[Weights] = Field(
        None,
        description="`{path: FILE}`, or `{download: {url: …, file: …, sha256: …}}` as for a data "
        "set, or `{packaged: NAME}` for a file that mekrr brings; by family",
    )
    options: dict[str, Any] = Field({}, description="settings of the adapter, below; by family")
    layers: Several[NonNegativeInt] = Field(
        description="layers whose features are fitted; the one with the least validation error is "
        "reported"
    )
    heatmap_layer: Maybe[NonNegativeInt] = Field(
        None,
        description="the layer of the heatmaps of K_0, K_1 and single species; those of all layers "
        "are drawn as well",
    )
    title: Maybe[Text] = Field(None, description="name in tables and figures")
    training_data: Maybe[Text] = Field(None, description="for the record")
    licence: Maybe[Text] = Field(None, description="for the record")
    reference: Maybe[Text] = Field(None, description="for the record")

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        schema = handler.resolve_ref_schema(handler(core_schema))
        schema["allOf"] = [
            {
                "if": {"properties": {"family": {"const": name}}, "required": ["family"]},
                "then": _of_family(family),
            }
            for name, family in families().items()
        ]
        return schema

    @field_validator("options")
    @classmethod
    def _options_of_the_family(cls, options: dict, info: ValidationInfo) -> dict:
        if "family" in info.data:
            families()[info.data["family"]].options.model_validate(options)
        return options

    @model_validator(mode="after")
    def _as_the_family_has_it(self) -> BackboneEntry:
        family = families()[self.family]
        if self.weights is None and family.weights == "needed":
            raise fault(f"key `weights` is missing, which family {self.family} needs; add it")
        if self.weights is not None and family.weights == "none":
            raise fault(f"family {self.family} takes none; remove it", "weights")
        named = "model" in self.options
        if family.weights == "optional" and (self.weights is not None) == named:
            raise fault("give either `weights` or `options.model`")
        if _has_required(family) and not self.options:
            raise fault(f"key `options` is missing, which family {self.family} needs; add it")
        return self

    @property
    def model(self) -> dict[str, Any]:
        """What decides its features beside the weights, so that a new title costs nothing."""
        return self.given("family", "options")

    @property
    def weights_files(self) -> list[str]:
        """The file of its weights, none if they are inside a package or there are none."""
        return [self.weights.file] if self.weights else []


def _of_family(family: Family) -> dict[str, Any]:
    """Return what the JSON schema of an entry says of its weights and options."""
    properties: dict[str, Any] = {"options": family.options.model_json_schema()}
    if family.weights == "none":
        properties["weights"] = False
    required = ["weights"] if family.weights == "needed" else []
    return {"properties": properties, "required": required + ["options"] * _has_required(family)}


def _has_required(family: Family) -> bool:
    return any(field.is_required() for field in family.options.model_fields.values())
