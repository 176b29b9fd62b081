"""What a registry says of a backbone: the family that adapts it, its weights, options, layers."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, NonNegativeInt, ValidationInfo, field_validator, model_validator

from mekrr.closed import Chosen, Closed, Maybe, Several, Symbol, Text, fault, validator

Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Url = Annotated[str, Field(pattern=r"^https?://\S+$")]
FileName = Annotated[str, Field(pattern="^[A-Za-z0-9][A-Za-z0-9._-]{0,149}$")]
Radius = Annotated[float, Field(gt=0, le=100)]


class Download(Closed):
    """A public file."""

    url: Url = Field(description="its address")
    file: FileName = Field(description="name to keep it under")
    sha256: Maybe[Sha256] = Field(
        None,
        description="its checksum. Without it the first download's is recorded beside the file and "
        "enforced from then on",
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
    def place(self) -> str:
        """File that it becomes."""
        return f"{self.folder}/{self.file}"


class Weights(Closed):
    """Where a file of weights is, or comes from."""

    path: Maybe[Text] = Field(None, description="the file")
    download: Maybe[Download] = Field(None, description="where it comes from")

    @model_validator(mode="after")
    def _one_of_both(self) -> Weights:
        if (self.path is None) == (self.download is None):
            raise fault("give either `path` or `download`")
        return self

    @property
    def file(self) -> str:
        """Where the file is or, once it is downloaded, will be."""
        return self.path or self.download.place


_symbols = validator(Several[Symbol])


class NoOptions(Closed):
    """A family without options."""


class SchNetOptions(Closed):
    """Options of family schnet."""

    exact: Maybe[bool] = Field(
        None,
        description="`true` evaluates the filters' networks for each edge instead of a table "
        "(relative error 1e-5)",
    )


class SevenNetOptions(Closed):
    """Options of family sevennet."""

    checkpoint: Maybe[Literal["7net-0", "7net-l3i5"]] = Field(
        None, description="which of the weights in the package"
    )


class FairChemOptions(Closed):
    """Options of family fairchem."""

    model: Maybe[Text] = Field(
        None, description="a name that fairchem-core knows, such as `uma-s-1p1`, without `weights`"
    )
    task: Maybe[Text] = Field(None, description="the task of UMA, such as `oc20`")


class MACEOptions(Closed):
    """Options of family mace."""

    head: Maybe[Text] = Field(
        None, description="the level of theory of the energy where the model has several"
    )


class SOAPOptions(Closed):
    """Options of family soap."""

    species: Annotated[
        Literal["all"] | Several[Symbol],
        Chosen(
            lambda value: _symbols if isinstance(value, list) else None,
            "all, or a list of chemical symbols",
        ),
    ] = Field(description="elements of the vectors; `all`: those of each data set")
    n_max: Maybe[Annotated[int, Field(ge=1, le=100)]] = Field(None, description="radial functions")
    l_max: Maybe[Annotated[int, Field(ge=0, le=50)]] = Field(None, description="angular momenta")
    cutoff: Maybe[Radius] = Field(None, description="Å")
    sigma: Maybe[Radius] = Field(None, description="width of an atom's density, Å")


@dataclass(frozen=True)
class Family:
    """What an entry of a family may say."""

    options: type[Closed] = NoOptions
    weights: Literal["needed", "taken", "none"] = "none"  # a file of them
    trainable: bool = False


FAMILIES = {
    "analytic": Family(),
    "chgnet": Family(trainable=True),
    "diep": Family(),
    "fairchem": Family(FairChemOptions, weights="taken"),
    "mace": Family(MACEOptions, weights="needed"),
    "schnet": Family(SchNetOptions, weights="needed", trainable=True),
    "sevennet": Family(SevenNetOptions, trainable=True),
    "soap": Family(SOAPOptions),
}


class BackboneEntry(Closed):
    """A backbone in a registry, apart from its name."""

    family: Literal[*FAMILIES] = Field(description="the adapter, below")
    weights: Maybe[Weights] = Field(
        None,
        description="`{path: FILE}`, or `{download: {url: …, file: …, sha256: …}}` as for a data "
        "set; by family",
    )
    options: dict[str, Any] = Field(
        {}, description="settings of the adapter, below; by family", min_length=1
    )
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

    @field_validator("options")
    @classmethod
    def _options_of_the_family(cls, options: dict, info: ValidationInfo) -> dict:
        if "family" in info.data:
            FAMILIES[info.data["family"]].options.model_validate(options)
        return options

    @model_validator(mode="after")
    def _as_the_family_has_it(self) -> BackboneEntry:
        family = FAMILIES[self.family]
        if self.weights is None and family.weights == "needed":
            raise fault(f"key `weights` is missing, which family {self.family} needs; add it")
        if self.weights is not None and family.weights == "none":
            raise fault(f"family {self.family} takes none; remove it", "weights")
        if self.family == "fairchem" and (self.weights is None) == ("model" not in self.options):
            raise fault("give either `weights` or `options.model`")
        needed = any(field.is_required() for field in family.options.model_fields.values())
        if needed and not self.options:
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
