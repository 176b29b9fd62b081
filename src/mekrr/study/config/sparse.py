"""The section of sparse models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from mekrr.closed import Chosen, Closed, Unique, validator
from mekrr.models.limits import LARGEST_INDUCING, MOST_DIRECTIONS
from mekrr.study.config.types import Name


class Directions(Closed):
    """Along what the forces of a frame are learnt."""

    random: Annotated[int, Field(ge=1, le=MOST_DIRECTIONS)] = Field(
        description="random directions of each frame with forces, along which these are learnt; "
        "two forward passes each"
    )
    reactive: bool = Field(
        description="whether all components of the forces on a data set's `reactive` atoms are "
        "learnt too"
    )


Number = Annotated[int, Field(ge=1, le=LARGEST_INDUCING)]
_number, _several = validator(Number), validator(Annotated[Unique[Number], Field(min_length=1)])
Numbers = Annotated[
    Number | list[Number],
    Chosen(
        lambda value: _several if isinstance(value, list) else _number,
        f"integer from 1 to {LARGEST_INDUCING}, or a list of such",
    ),
]


class Sparse(Closed):
    """Sums over few inducing atoms, learnt from energies, and from forces along directions."""

    backbones: Unique[Name] = Field(
        description="backbones on which sparse models are fitted, of those in the study; `[]`: no "
        "sparse models"
    )
    skip: Unique[Name] = Field(description="data sets without sparse models")
    directions: Directions
    layers: Literal["together", "choose"] = Field(
        description="the features of a backbone's `layers` side by side, or what validation "
        "chooses: each of them, or all side by side"
    )
    inducing: Numbers = Field(
        description="inducing atoms at most, fewer where these tell of all others; of several "
        "numbers validation chooses"
    )

    def views(self, layers: Sequence[int]) -> list[list[int]]:
        """Return which of some layers may stand side by side."""
        choices = [[layer] for layer in layers] if self.layers == "choose" and layers[1:] else []
        return [*choices, list(layers)]
