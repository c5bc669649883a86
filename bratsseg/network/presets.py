"""The networks of published systems as configs, by name."""

from __future__ import annotations

from bratsseg.network import AnyNetworkConfig, SegResNetConfig, SwinUNETRConfig, UNetConfig, VGGUNetConfig

PRESETS: dict[str, AnyNetworkConfig] = {
    "lgg_unet": UNetConfig(
        in_channels=3, out_channels=1, widths=(64, 128, 256, 512, 1024), norm="batch", up="transposed"
    ),
    "lgg_vgg16": VGGUNetConfig(in_channels=3, out_channels=1),
    "lgg_keras_unet": UNetConfig(
        in_channels=3, out_channels=1, widths=(64, 128, 256, 512, 1024), norm="none", up="transposed"
    ),
    "flair_unet": UNetConfig(in_channels=1, out_channels=1, widths=(64, 128, 256, 512), norm="batch", up="linear"),
    "flair_t1c_unet": UNetConfig(
        in_channels=2, out_channels=4, widths=(32, 64, 128, 256, 512), norm="none", up="nearest", dropout=0.2
    ),
    "bundle_segresnet": SegResNetConfig(),
    "swin_unetr": SwinUNETRConfig(feature_size=48),
}
"""What reproduces each system:

- ``lgg_unet``: U-Net on LGG slices of three channels, ``widths`` 64-128-256-512 with a bottleneck of 1024, ``norm``
  batch, ``up`` transposed.
- ``lgg_vgg16``: the same data through a VGG16 encoder; ``weights`` names torchvision's ImageNet file.
- ``lgg_keras_unet``: the plain U-Net of Keras, ``widths`` 64 to 1024, ``norm`` none; its norm and way up are not
  published, and are Ronneberger's here.
- ``flair_unet``: FLAIR slices to the whole tumour, ``widths`` 64-128-256-512, ``up`` linear.
- ``flair_t1c_unet``: FLAIR and T1ce to four classes, ``widths`` 32 to 512, ``dropout`` .2 at the bottleneck, no norm.
- ``bundle_segresnet``: MONAI's ``brats_mri_segmentation``: ``init_filters`` 16, ``blocks_down`` 1-2-2-4, ``blocks_up``
  1-1-1, ``dropout`` .2, group norm; channels T1c, T1, T2, FLAIR → TC, WT, ET.
- ``swin_unetr``: SwinUNETR's BraTS21 size, ``feature_size`` 48.
"""
