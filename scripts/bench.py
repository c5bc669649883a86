"""One 3-D U-Net, two roads from four NIfTI files to a label map: MONAI's usual one and bratsseg's.

MONAI's: load, orient, normalise, 128³ windows with overlap .5 over the whole volume, threshold, save. bratsseg's: load,
crop to the brain, normalise, one pass, decode, save. The weights are random and the same; only the road differs. The
roads take turns, so that a machine that slows down slows both; the medians of the ratios are printed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from monai.inferers import SlidingWindowInferer
from monai.transforms import Compose, ConcatItemsd, LoadImaged, NormalizeIntensityd, Orientationd, SaveImage
from safetensors.torch import save_file

from bratsseg import Segmenter, find_cases, get_dialect, read_study
from bratsseg.batch.folder import segment_folder
from bratsseg.batch.options import BatchOptions
from bratsseg.exchange.brats import write_patient
from bratsseg.network import UNetConfig, build_network
from bratsseg.study.case import Case
from bratsseg.study.modality import Modality
from bratsseg.study.writing import write_label_map
from bratsseg.synthesis.generator import synthesize_patient

NETWORK = UNetConfig(dims=3, in_channels=4, widths=(16, 32, 64, 128, 256))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patients", type=int, default=3)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        for index in range(options.patients):
            write_patient(synthesize_patient(7, index), work / "scans", f"BraTS-SYN-{index:05d}-000", "bench")
        compare(work, find_cases(work / "scans"))


def compare(work: Path, cases: list[Case]) -> None:
    """Print seconds and ratios, case by case and as medians."""
    model = release(work / "model")
    segmenter = Segmenter.load(model, "cpu")
    peer = monai_road(segmenter, work / "peer")
    rows = []
    for case in cases:
        theirs, ours = seconds(lambda c=case: peer(c)), seconds(lambda c=case: our_road(segmenter, c, work))
        rows.append((theirs, ours))
        print(f"{case.id}: MONAI {theirs:6.1f} s   bratsseg {ours:6.2f} s   ratio {theirs / ours:5.1f}")
    start = time.perf_counter()
    segment_folder(work / "scans", work / "batch", BatchOptions(), segmenter)
    batch = (time.perf_counter() - start) / len(cases)
    theirs, ours = np.median(np.array(rows), axis=0)
    print(f"median: MONAI {theirs:.1f} s, bratsseg {ours:.2f} s a case, {batch:.2f} s in a batch ({segmenter.runtime})")
    print(f"ratio:  {np.median([a / b for a, b in rows]):.1f} a case, {theirs / batch:.1f} in a batch")


def release(folder: Path, network: UNetConfig = NETWORK) -> Path:
    """A released model with random weights that takes the whole box in one pass."""
    folder.mkdir()
    torch.manual_seed(0)
    weights = folder / "weights.safetensors"
    save_file({name: value.contiguous() for name, value in build_network(network).state_dict().items()}, weights)
    needs = {"WT": [["flair"]], "TC": [["t1c"]], "ET": [["t1c"]]}
    description = {
        "name": "bench",
        "version": "1",
        "summary": "random weights",
        "licence": "Apache-2.0",
        "modalities": [str(m) for m in Modality],
        "regions": ["WT", "TC", "ET"],
        "needs": needs,
        "network": network.model_dump(mode="json"),
        "preparation": {"multiple": network.multiple},
        "passes": {"kind": "whole"},
        "decoding": {},
        "weights": [{"file": weights.name, "sha256": hashlib.sha256(weights.read_bytes()).hexdigest()}],
    }
    (folder / "model.json").write_text(json.dumps(description))
    return folder


def monai_road(segmenter: Segmenter, out: Path) -> Callable[[Case], None]:
    """MONAI's usual road with the same network: in its usual float32 on a CPU, in mixed precision on a GPU."""
    keys = [str(m) for m in Modality]
    prepare = Compose(
        [
            LoadImaged(keys, ensure_channel_first=True),
            Orientationd(keys, axcodes="RAS", labels=None),
            NormalizeIntensityd(keys, nonzero=True),
            ConcatItemsd(keys, "image"),
        ]
    )
    device = segmenter.runtime.device
    network = segmenter.folder.networks()[0].to(device)
    mixed = torch.autocast("cuda", torch.float16, enabled=device != "cpu")
    inferer = SlidingWindowInferer((128, 128, 128), sw_batch_size=1, overlap=0.5, mode="gaussian")
    save = SaveImage(out, output_postfix="seg", output_dtype=np.uint8, print_log=False)

    def run(case: Case) -> None:
        images = prepare({str(m): str(source.path) for m, source in case.sources.items()})["image"]
        with torch.inference_mode(), mixed:
            whole, core, enhancing = inferer(images[None].to(device), network)[0].sigmoid() > 0.5
        labels = torch.where(enhancing, 3, torch.where(core, 1, torch.where(whole, 2, 0))).cpu()
        save(labels[None], meta_data=images.meta)

    return run


def our_road(segmenter: Segmenter, case: Case, work: Path) -> None:
    """Read, segment, write."""
    study = read_study(case)
    labels = get_dialect("brats2023").encode(segmenter.segment(study).label_map.regions)
    write_label_map(work / f"{case.id}_seg.nii.gz", labels, study.reference, "bench")


def seconds(work: Callable[[], None]) -> float:
    """Wall seconds of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
