"""Networks that are at home elsewhere, both ways: theirs adopted as released models, ours exported as MONAI bundles."""
