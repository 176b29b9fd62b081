"""Entries of the registry of networks that are trained, and how they are trained."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveInt, create_model

from mekrr.closed import Closed, Maybe, Text, maybe
from mekrr.study.config.types import Positive
from mekrr.study.methods import NETWORKS

SCRATCH = "scratch"


class Training(Closed):
    """How networks are trained unless their entry says otherwise."""

    epochs: PositiveInt = Field(description="passes over the training frames")
    least_steps: NonNegativeInt = Field(
        description="steps of the optimiser at least: more epochs where frames are few, as in "
        "learning curves"
    )
    validate_every: PositiveInt = Field(
        description="epochs from one validation to the next; validation costs up to half of an "
        "epoch"
    )
    patience: PositiveInt = Field(
        description="epochs without a better validation error after which training ends; the best "
        "epoch's weights are kept in any case: that of the least RMSE of energies or, where forces "
        "are learnt, of the least loss on validation frames, energies and forces weighed as in "
        "training"
    )
    batch_size: PositiveInt = Field(description="frames per step of AdamW")
    lr: Positive = Field(
        description="learning rate after the first twentieth of the steps, in which it rises"
    )
    schedule: Literal["cosine", "constant"] = Field(
        description="how the learning rate goes on: `cosine`, down to 0, or `constant`"
    )
    amsgrad: bool = Field(description="variant of AdamW")
    weight_decay: NonNegativeFloat = Field(
        description="of AdamW. The published protocol leaves it at 0.01; ours is 0"
    )
    average: Annotated[float, Field(ge=0, lt=1)] = Field(
        description="decay, per step, of a running mean of the weights, which is what is validated "
        "and kept; 0 for none"
    )
    clip: Positive = Field(description="largest norm of the gradient")
    shuffle: bool = Field(
        description="whether each epoch draws a new order of the frames. The published protocol "
        "does not; ours does"
    )
    force_weight: NonNegativeFloat = Field(
        description="weight of the forces' mean square error, in units of their mean square, "
        "beside that of the energies, in units of their variance. 0: energies alone, as published. "
        "Otherwise frozen layers run in every step, and frames without forces count for energies "
        "only"
    )


_optional: dict[str, Any] = {
    key: (maybe(field.rebuild_annotation()), Field(None, description=field.description))
    for key, field in Training.model_fields.items()
}
PartOfTraining = create_model(
    "PartOfTraining",
    __base__=Closed,
    __doc__="Keys of `training` that a network has otherwise.",
    __module__=__name__,
    **_optional,
)


class Architecture(Closed):
    """A SchNet from scratch."""

    hidden_channels: Annotated[int, Field(ge=2)]
    num_filters: PositiveInt
    num_interactions: PositiveInt
    num_gaussians: Annotated[int, Field(ge=2)]
    cutoff: Annotated[float, Field(gt=0.5, le=100)]


class PublishedTransfer(Closed):
    """Training anew for each target of a transfer."""

    epochs: PositiveInt = Field(
        description="as published: for transfer the network is trained anew for so many epochs "
        "(400), the best one chosen on validation frames of the target. Without this key the "
        "network trained on the source is used as it is"
    )


class Network(Closed):
    """A network that is trained on the frames, apart from its name."""

    method: Literal[*NETWORKS] = Field(description="name in tables")
    start: Text = Field(
        description="`scratch`: a SchNet with random weights; or the backbone whose weights it "
        "begins with, of family `schnet`, `sevennet` or `chgnet`"
    )
    architecture: Maybe[Architecture] = Field(
        None,
        description="with `scratch`: `hidden_channels`, `num_filters`, `num_interactions`, "
        "`num_gaussians`, `cutoff` (Å). As published: 256, 64, 3, 200, 10.0",
    )
    frozen: Maybe[NonNegativeInt] = Field(
        None,
        description="with a backbone: interactions (convolutions) that stay as they are, the "
        "embedding with them. As published: 3 of SchNet's 5",
    )
    training: Maybe[PartOfTraining] = Field(  # type: ignore[valid-type]
        None, description="keys of `training` that this network has otherwise"
    )
    published_transfer: Maybe[PublishedTransfer] = None

    @property
    def model(self) -> dict[str, Any]:
        """What decides it before training, beside the backbone that it begins with."""
        return self.given("start", "frozen", "architecture")
