"""Files of weights as users have them, with random weights of small size."""

import collections
import copy
import warnings

import torch
import torch_geometric.nn

MEAN, STD = -0.7554, 2.887


def schnet_checkpoint(
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
    """A SchNet in the layout of the Open Catalyst Project, biases included; returns its content."""
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


# --- fairchem-core

MODELS = "fairchem.core.models.uma"
NORMALIZATION = "fairchem.core.modules.normalization"
DATASETS = {name: name for name in ("oc20", "omat", "omol")}
BACKBONE = {
    "model": f"{MODELS}.escn_md.eSCNMDBackbone",
    "max_num_elements": 100,
    "sphere_channels": 16,
    "hidden_channels": 16,
    "edge_channels": 16,
    "num_distance_basis": 32,
    "num_layers": 2,
    "cutoff": 5.0,
    "max_neighbors": 300,
    "otf_graph": True,
    "direct_forces": False,
    "regress_forces": True,
    "regress_stress": True,
    "ff_type": "spectral",
    "use_dataset_embedding": False,
}
ESEN = {
    "_target_": "fairchem.core.models.base.HydraModel",
    "pass_through_head_outputs": True,
    "backbone": BACKBONE,
    "heads": {"efs": {"module": f"{MODELS}.escn_md.MLP_EFS_Head"}},
}
DIRECT = {
    "_target_": "fairchem.core.models.base.HydraModel",
    "backbone": BACKBONE | {"direct_forces": True, "regress_stress": False},
    "heads": {
        "energy": {"module": f"{MODELS}.escn_md.MLP_Energy_Head"},
        "forces": {"module": f"{MODELS}.escn_md.Linear_Force_Head"},
    },
}
UMA = {
    "_target_": "fairchem.core.models.base.HydraModel",
    "model_id": "UMA-S-1.2.1",
    "pass_through_head_outputs": True,
    "backbone": BACKBONE
    | {
        "model": f"{MODELS}.escn_moe.eSCNMDMoeBackbone",
        "num_experts": 4,
        "use_composition_embedding": True,
        "chg_spin_emb_type": "rand_emb",
        "charge_balanced_channels": [0, 1, 2],
        "use_dataset_embedding": True,
        "dataset_mapping": DATASETS,
    },
    "heads": {
        "efs": {
            "module": f"{MODELS}.escn_moe.DatasetSpecificMoEWrapper",
            "head_cls": f"{MODELS}.escn_md.MLP_EFS_Head",
            "head_kwargs": {"wrap_property": False},
            "dataset_mapping": DATASETS,
        }
    },
}


def energy_task(name, dataset):
    references = [-0.1 * z for z in range(100)]
    return {
        "_target_": "fairchem.core.units.mlip_unit.mlip_unit.Task",
        "name": name,
        "level": "system",
        "property": "energy",
        "loss_fn": {"_target_": "fairchem.core.modules.loss.MAELoss"},
        "out_spec": {"dim": [1], "dtype": "float32"},
        "normalizer": {
            "_target_": f"{NORMALIZATION}.normalizer.Normalizer",
            "mean": 0.0,
            "rmsd": "${rmsd}",
        },
        "element_references": {
            "_target_": f"{NORMALIZATION}.element_references.ElementReferences",
            "element_references": {"_target_": "torch.DoubleTensor", "_args_": [references]},
        },
        "datasets": [dataset],
        "metrics": ["mae"],
    }


ESEN_TASKS = [energy_task("energy", "oc20")]
UMA_TASKS = [energy_task(f"{name}_energy", name) for name in DATASETS]


def fairchem_checkpoint(path, model, tasks, state=None):
    """An inference checkpoint by fairchem-core's own writer, from settings and random weights."""
    # Here, since they take seconds to import.
    import torch.distributed.checkpoint as dcp
    from fairchem.core.models.base import HydraModel
    from fairchem.core.units.mlip_unit.mlip_unit import (
        convert_train_checkpoint_to_inference_checkpoint,
    )
    from omegaconf import OmegaConf

    if state is None:
        torch.manual_seed(7)
        settings = copy.deepcopy(model)
        del settings["_target_"]
        trained = HydraModel(**settings)
        averaged = torch.optim.swa_utils.AveragedModel(trained).state_dict()
        state = {"model": {k: 0 * v for k, v in trained.state_dict().items()}, "ema": averaged}
    unit = {"model": model, "tasks": "${tasks}"}
    config = OmegaConf.create({"rmsd": 1.3, "tasks": tasks, "runner": {"train_eval_unit": unit}})
    sharded = path.with_suffix(".dcp")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "torch.distributed is disabled")
        dcp.save({"unit_state": state, "config": config}, checkpoint_id=sharded, no_dist=True)
    convert_train_checkpoint_to_inference_checkpoint(sharded, path)
    return path


def esen_checkpoint(path):
    return fairchem_checkpoint(path, ESEN, ESEN_TASKS)


def uma_checkpoint(path):
    return fairchem_checkpoint(path, UMA, UMA_TASKS)
