"""Files of weights as users have them, with random weights of small size."""

import collections

import torch
import torch_geometric.nn

MEAN, STD = -0.7554, 2.887


def random_checkpoint(
    path,
    hidden=24,
    filters=16,
    interactions=3,
    gaussians=60,
    cutoff=6.0,
    prefix="module.module.",
    attributes=None,
    **entries,
):
    """Write a checkpoint of random weights, all biases included; returns its content.

    The layout is that of the Open Catalyst Project.
    """
    torch.manual_seed(1)
    model = torch_geometric.nn.SchNet(
        hidden_channels=hidden,
        num_filters=filters,
        num_interactions=interactions,
        num_gaussians=gaussians,
        cutoff=cutoff,
    )
    for parameter in model.parameters():
        if parameter.dim() == 1:
            torch.nn.init.normal_(parameter, std=0.3)
    content = {
        "epoch": 3,
        "state_dict": collections.OrderedDict(
            (prefix + key, value) for key, value in model.state_dict().items()
        ),
        "normalizers": {
            "target": {"mean": torch.tensor(MEAN), "std": torch.tensor(STD)},
            "grad_target": {"mean": torch.tensor(0.0), "std": torch.tensor(STD)},
        },
        "config": {
            "model": "schnet",
            "model_attributes": {
                "hidden_channels": hidden,
                "num_filters": filters,
                "num_interactions": interactions,
                "num_gaussians": gaussians,
                "cutoff": cutoff,
                "use_pbc": True,
                "otf_graph": False,
                **(attributes or {}),
            },
        },
    } | entries
    torch.save(content, path)
    return content
