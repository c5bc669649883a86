"""Formats that other programs read: 3D Slicer, ITK-SNAP, BIDS, MONAI bundles."""
