"""The section of franken."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from mekrr.closed import Closed, Unique
from mekrr.study.config.types import Count, Name


class Franken(Closed):
    """The method's successor, in an environment of its own."""

    backbones: Unique[Name] = Field(
        description="backbones of family `sevennet` on which it is fitted, of those in the study; "
        "`[]`: not at all. Without its environment, below, it is left out with a warning"
    )
    skip: Unique[Name] = Field(description="data sets without it")
    splits: Count = Field(description="of so many of `study.splits`, from the first")
    seeds: Count = Field(description="of so many of `study.seeds`, from the first")
    random_features: Annotated[int, Field(ge=6, le=50_000)] = Field(
        description="random features of its multiscale Gaussian kernel"
    )
