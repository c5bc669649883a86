"""Training steps on a device in mixed precision, against the same steps on the CPU in float32."""

from __future__ import annotations

import time

import torch

from bratsseg.inference.runtime import Runtime
from bratsseg.network import UNetConfig, build_network
from bratsseg.selftest.check import Check
from bratsseg.study.modality import Modality
from bratsseg.tensors.augmentation import apply_augmentation, draw_augmentation
from bratsseg.tensors.transforms import Preparation
from bratsseg.tensors.windows import BoxWindows, SlabWindows
from bratsseg.training.experiment import Experiment, TrainerConfig
from bratsseg.training.loss import build_loss
from bratsseg.training.optimiser import OptimiserConfig, build_optimiser
from bratsseg.training.sources import DataConfig, SyntheticConfig
from bratsseg.training.synthetic import SyntheticSamples

STEPS = 20
LOSSES_APART = 0.02
SPACING_MM = 3.0
_SEED = 20
StepBatch = tuple[torch.Tensor, torch.Tensor]
"""Pictures (N, C, *space) float16 and truth (N, R, *space)."""


def check_steps(dims: int, runtime: Runtime) -> list[Check]:
    """``STEPS`` steps of a small network on identical samples made on the CPU; the losses must agree."""
    experiment = _experiment(dims)
    batches = _batches(experiment)
    ours, seconds = _losses(experiment, batches, runtime.device, half=True)
    exact, _ = _losses(experiment, batches, "cpu", half=False)
    apart = max(abs(one - two) / abs(two) for one, two in zip(ours, exact, strict=True))
    good = apart <= LOSSES_APART and exact[-1] < exact[0]
    advice = "" if good else "set trainer.precision to 32-true for training on this device, and update torch"
    found = f"{apart:.2%} apart, {exact[0]:.3f} → {exact[-1]:.3f}, {(STEPS - 1) / seconds:.1f} steps a second"
    figures = {"apart": apart, "losses": ours, "losses_float32_cpu": exact}
    wanted = f"losses within {LOSSES_APART:.0%}"
    return [Check(f"{STEPS} training steps, {dims}-D", found, wanted, good, advice, figures)]


def _experiment(dims: int) -> Experiment:
    windows = SlabWindows(slices=3, size=(48, 48)) if dims == 2 else BoxWindows(size=(24, 24, 24))
    channels = len(Modality) * windows.neighbours
    return Experiment(
        name="selftest",
        seed=_SEED,
        data=DataConfig(synthetic=SyntheticConfig(volumes=2, windows_per_volume=1000), workers=0),
        preparation=Preparation(spacing_mm=SPACING_MM),
        windows=windows,
        network=UNetConfig(dims=dims, in_channels=channels, widths=(16, 32, 64), residual=dims == 3),
        optimiser=OptimiserConfig(learning_rate=1e-3),
        trainer=TrainerConfig(batch_size=4, max_steps=STEPS),
    )


def _batches(experiment: Experiment) -> list[StepBatch]:
    """Varied samples, all made on the CPU, so that no device draws anything of its own."""
    size = experiment.trainer.batch_size
    samples = SyntheticSamples(experiment, size)
    batches = []
    for step in range(STEPS):
        positions = range(step * size, (step + 1) * size)
        made = [samples[position] for position in positions]
        pictures, truth = (torch.stack(part) for part in ([s[0] for s in made], [s[1] for s in made]))
        draws = draw_augmentation(
            experiment.augmentation, list(positions), pictures.ndim - 2, experiment.data.modalities, None
        )
        batches.append(apply_augmentation(pictures, truth, draws))
    return batches


def _losses(experiment: Experiment, batches: list[StepBatch], device: str, *, half: bool) -> tuple[list[float], float]:
    """The loss of every step, and the seconds of all but the first, which pays for what is built once."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_SEED)
        network = build_network(experiment.network).to(device).train()
    optimiser = build_optimiser(network, experiment.optimiser)
    loss_of = build_loss(experiment.loss, experiment.data.target)
    order = torch.channels_last if experiment.network.dims == 2 else torch.channels_last_3d
    losses, start = [], 0.0
    for number, (pictures, truth) in enumerate(batches):
        with torch.autocast(device.partition(":")[0], torch.bfloat16, enabled=half):
            loss = loss_of(network(pictures.to(device).float().contiguous(memory_format=order)), truth.to(device))
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), experiment.optimiser.clip_norm)
        optimiser.step()
        losses.append(float(loss.detach()))
        if number == 0:
            start = time.perf_counter()
    return losses, time.perf_counter() - start
