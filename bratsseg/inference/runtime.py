"""Where and in which precision a network runs."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch

from bratsseg.errors import UsageError


@dataclass(frozen=True)
class Runtime:
    """A device and the arithmetic that is fast and safe on it."""

    device: str
    amp: torch.dtype | None

    @classmethod
    def choose(cls, wanted: str = "auto") -> Runtime:
        """``auto`` (a GPU when there is one), ``cpu`` or ``cuda:N``; ``UsageError`` when there is no such device."""
        if wanted == "auto":
            wanted = "cuda:0" if torch.cuda.is_available() else "cpu"
        if wanted == "cpu":
            # Without the instruction bfloat16 is emulated, and slower than float32.
            native = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
            return cls("cpu", torch.bfloat16 if native else None)
        kind, _, number = wanted.partition(":")
        count = torch.cuda.device_count()
        if kind != "cuda" or not (number or "0").isdigit() or int(number or 0) >= count:
            gpus = (
                f", cpu or cuda:N with N below {count}, the GPUs at hand" if count else " or cpu, for no GPU is at hand"
            )
            raise UsageError(f"device {wanted!r}: must be auto{gpus}")
        return cls(f"cuda:{number or 0}", torch.float16)

    def place(self, network: torch.nn.Module) -> torch.nn.Module:
        """The network on the device, channels last in memory: otherwise bfloat16 convolutions are several times slower.

        A network with group norm in float32 on a CPU keeps its channels first, because torch sums them less exactly
        when they are last: over 240x240x160 voxels it is wrong by 6e-4 with channels last and by 4e-7 with channels
        first, and the results of a bundle would differ from MONAI's.
        """
        flat = all(weight.ndim <= 4 for weight in network.parameters())
        grouped = any(isinstance(part, torch.nn.GroupNorm) for part in network.modules())
        order = torch.channels_last if flat else torch.channels_last_3d
        if grouped and self.device == "cpu" and self.amp is None:
            order = torch.contiguous_format
        network.to(self.device).to(memory_format=order)  # type: ignore[call-overload]  # torch's stubs lack it
        return network

    def expect_any_shape(self) -> None:
        """Let cuDNN choose its convolutions by rule: every brain has a box of its own, and trials cost a second each.

        Training, which shows one shape again and again, may have turned the trials on in this process.
        """
        if self.device != "cpu":
            torch.backends.cudnn.benchmark = False

    def autocast(self) -> AbstractContextManager[object]:
        """A context in which the network computes in this runtime's precision."""
        kind = self.device.partition(":")[0]
        return torch.autocast(kind, dtype=self.amp or torch.bfloat16, enabled=self.amp is not None)

    @property
    def precision(self) -> str:
        """The arithmetic by name, for the record."""
        return str(self.amp or torch.float32).removeprefix("torch.")


def devices_of(wanted: str) -> list[str]:
    """The devices that ``wanted`` names: one, several with commas between, or every GPU for ``cuda:all``."""
    if wanted == "cuda:all":
        count = torch.cuda.device_count()
        if not count:
            raise UsageError("device 'cuda:all': must find a GPU, none is at hand; give auto or cpu")
        return [f"cuda:{number}" for number in range(count)]
    return [Runtime.choose(name.strip()).device for name in wanted.split(",")]
