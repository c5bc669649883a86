"""A patient's study as medicine knows it: volumes, grids, modalities, regions. No torch, no monai."""
