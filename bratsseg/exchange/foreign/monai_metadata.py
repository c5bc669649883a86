"""What a MONAI bundle says of itself: ``metadata.json``, README and licence."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from bratsseg.inference.model import ModelFolder, ReleasedModel
from bratsseg.inference.passes import SlabPass, WindowPass
from bratsseg.study.regions import APPEARANCE
from bratsseg.version import __version__

SCHEMA = "https://github.com/Project-MONAI/MONAI-extra-test-data/releases/download/0.8.1/meta_schema_20240725.json"
IGNITE = "0.5.2"
FIRE = "0.7.0"


def metadata(model: ReleasedModel) -> dict[str, Any]:
    """``configs/metadata.json``; its network_data_format is the network's own, a slab where it sees slabs."""
    wide = isinstance(model.passes, SlabPass)
    shape = _spatial_shape(model)
    image, pred = {"format": "magnitude", "modality": "MR"}, {"format": "segmentation"}
    return {
        "schema": SCHEMA,
        "version": f"{model.version}.0.0" if model.version.isdigit() else model.version,
        "changelog": {model.version: f"released model {model.name}, exported by bratsseg {__version__}"},
        "name": model.name,
        "monai_version": version("monai"),
        "pytorch_version": version("torch").partition("+")[0],
        "numpy_version": version("numpy"),
        "required_packages_version": {
            "bratsseg": __version__,
            "nibabel": version("nibabel"),
            "pytorch-ignite": IGNITE,
            "fire": FIRE,
        },
        "supported_apps": {},
        "task": "Segmentation of brain tumours in multi-modal MRI",
        "description": model.summary,
        "authors": "bratsseg contributors",
        "copyright": f"bratsseg contributors; licence of the weights: {model.licence}",
        "intended_use": "Research use only; not a medical device",
        "data_type": "nibabel",
        "image_classes": "Each modality to mean 0 and standard deviation 1 over the brain, 0 outside",
        "label_classes": "One logit map a region: " + ", ".join(_regions(model)),
        "network_data_format": {
            "inputs": {"image": _format(_input_channels(model), shape, wide, image)},
            "outputs": {"pred": _format(_regions(model), shape, wide, pred)},
        },
    }


def _format(channels: list[str], shape: list[Any], patches: bool, what: dict[str, str]) -> dict[str, Any]:
    return {
        "type": "image",
        **what,
        "num_channels": len(channels),
        "spatial_shape": shape,
        "dtype": "float32",
        "value_range": [],
        "is_patch_data": patches,
        "channel_def": {str(number): name for number, name in enumerate(channels)},
    }


def _regions(model: ReleasedModel) -> list[str]:
    return [APPEARANCE[region].name for region in model.regions]


def _input_channels(model: ReleasedModel) -> list[str]:
    """What each channel of the network's input is; a slab holds neighbouring slices of each modality."""
    if not isinstance(model.passes, SlabPass):
        return [modality.label for modality in model.modalities]
    half = model.passes.slices // 2
    return [f"{modality.label}, slice {at:+d}" for modality in model.modalities for at in range(-half, half + 1)]


def _spatial_shape(model: ReleasedModel) -> list[Any]:
    if isinstance(model.passes, WindowPass):
        return list(model.passes.size)
    multiple = max(model.preparation.multiple, int(getattr(model.network, "multiple", 1)))
    return [f"{multiple}*n"] * (2 if isinstance(model.passes, SlabPass) else 3)


def licence(model: ReleasedModel) -> str:
    """``LICENSE``: the weights' own, by its SPDX name."""
    return (
        f"SPDX-License-Identifier: {model.licence}\n\n"
        f"The weights of {model.name} {model.version} are licensed under {model.licence}; the text is at\n"
        f"https://spdx.org/licenses/{model.licence}.html\n"
    )


def readme(folder: ModelFolder, config: str, meta: str) -> str:
    """``docs/README.md``: what it is, how it is run, and the model's card; ``config`` and ``meta`` are its files."""
    model = folder.description
    return (
        f"# {model.name} {model.version}\n\n{model.summary}\n\n"
        f"Research use only; not a medical device. Exported by bratsseg {__version__} from the released model with "
        f"sha256 {folder.sha256}.\n\n"
        "bratsseg must be installed where this bundle is used: its network and its preparation are named in\n"
        f"`{config}`. Running it needs `pytorch-ignite` and `fire` too.\n\n"
        "```bash\npip install bratsseg pytorch-ignite fire\n"
        f"python -m monai.bundle run --config_file {config} --meta_file {meta} \\\n"
        "    --bundle_root . --dataset_dir STUDIES --output_dir RESULTS\n```\n\n"
        "STUDIES holds one folder a study, as `bratsseg check` accepts it. `bratsseg segment --model` runs the same\n"
        "network with the same weights, and also tells what is not assessable and masks the brain.\n\n"
        f"{folder.card}"
    )
