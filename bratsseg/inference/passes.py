"""How a network is taken over a prepared study: slabs of slices, the whole box at once, or overlapping windows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from bratsseg.config import Config
from bratsseg.tensors.windows import slab_views

Network = Callable[[Tensor], Tensor]
LEAST_SLABS_ON_GPU = 32


class _Mirrored(Config):
    mirrored: tuple[Literal[0, 1, 2], ...] = ()
    """Axes of the model frame along which the network is also taken over the mirrored brain, logits averaged: 0 is
    left-right. Each costs one pass more. Test-time mirroring of nnU-Net (doi:10.1038/s41592-020-01008-z), which also
    mirrors along several axes at once."""


class SlabPass(_Mirrored):
    """A 2-D network over slabs of neighbouring slices, in one plane or several, logits averaged."""

    kind: Literal["slabs"] = "slabs"
    slices: int = 5
    """Neighbouring slices that make up one input; odd."""
    planes: tuple[int, ...] = (2,)
    """Axes of the model frame that are cut across: 2 is axial, 1 coronal, 0 sagittal."""
    batch: int = 8
    """Slabs at once; changes memory, not results. On a GPU at least 32, which small kernels of fewer leave idle."""


class WindowPass(_Mirrored):
    """A 3-D network over overlapping windows; windows are zero-padded where the volume is smaller."""

    kind: Literal["windows"] = "windows"
    size: tuple[int, int, int] = (96, 96, 96)
    """Window in voxels of the model frame."""
    overlap: float = 0.5
    """Share that neighbouring windows have in common."""
    weights: Literal["gaussian", "constant"] = "gaussian"
    """How they are averaged there: a Gaussian (nnU-Net, doi:10.1038/s41592-020-01008-z), or all alike."""
    batch: int = 1
    """Windows at once; changes memory, not results."""


class WholePass(_Mirrored):
    """A 3-D network over the whole box at once: valid for norms that take no statistics over space."""

    kind: Literal["whole"] = "whole"
    largest_voxels: int = 6_000_000
    """The largest box that was tested; above it, or when memory runs out, ``fallback`` is used and reported."""
    fallback: WindowPass = WindowPass()
    """The windows used instead."""


Passes = Annotated[SlabPass | WindowPass | WholePass, Field(discriminator="kind")]


def run_pass(network: Network, images: Tensor, passes: Passes) -> tuple[Tensor, str]:
    """Take ``network`` over ``images`` (C, I, J, K); returns float32 logits (R, I, J, K) and what was done in words."""
    logits, how = _run_once(network, images, passes)
    if not passes.mirrored:
        return logits, how
    for axis in passes.mirrored:
        mirrored, _ = _run_once(network, images.flip(axis + 1), passes)
        logits = logits + mirrored.flip(axis + 1)
    return logits / (len(passes.mirrored) + 1), f"{how}, mirrored along {list(passes.mirrored)}"


def _run_once(network: Network, images: Tensor, passes: Passes) -> tuple[Tensor, str]:
    if isinstance(passes, SlabPass):
        return _over_slabs(network, images, passes), f"slabs of {passes.slices} in planes {list(passes.planes)}"
    if isinstance(passes, WindowPass):
        return _over_windows(network, images, passes), "windows"
    if images[0].numel() > passes.largest_voxels:
        return _over_windows(network, images, passes.fallback), "windows (the box exceeds the tested size)"
    try:
        return network(images[None].to(memory_format=torch.channels_last_3d))[0].float(), "whole"
    except (MemoryError, torch.OutOfMemoryError):
        pass  # leave the handler first: it keeps the failed pass alive
    except RuntimeError as error:
        if "allocate" not in str(error):
            raise
    return _over_windows(network, images, passes.fallback), "windows (not enough memory for the whole box)"


def _over_slabs(network: Network, images: Tensor, passes: SlabPass) -> Tensor:
    total: Tensor | None = None
    at_once = max(passes.batch, LEAST_SLABS_ON_GPU) if images.is_cuda else passes.batch
    for axis in passes.planes:
        views = slab_views(images, passes.slices, axis)
        # Batch by batch: all slabs of a head at once would be as many times the head as there are slices in a slab.
        batches = (part.flatten(1, 2) for part in torch.split(views, at_once))
        logits = torch.cat([network(batch).float() for batch in batches])  # (N, R, A, B)
        logits = torch.movedim(logits, 0, axis + 1)
        total = logits if total is None else total.add_(logits)
    if total is None:
        raise ValueError("a slab pass needs at least one plane")
    return total / len(passes.planes)


def _over_windows(network: Network, images: Tensor, passes: WindowPass) -> Tensor:
    from monai.inferers import SlidingWindowInferer  # noqa: PLC0415 - seconds to import, and most models need none

    inferer = SlidingWindowInferer(
        roi_size=passes.size, sw_batch_size=passes.batch, overlap=passes.overlap, mode=passes.weights
    )
    logits: Tensor = inferer(images[None], network)[0]
    return logits.float()
