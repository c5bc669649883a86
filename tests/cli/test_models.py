"""The models that are at hand."""

from __future__ import annotations

from tests.flows.conftest import bratsseg


def test_models_are_listed_with_hash_modalities_and_licence() -> None:
    ended = bratsseg("models")
    assert ended.code == 0
    for word in ("flair-threshold", "sha256", "FLAIR", "WT", "Apache-2.0"):
        assert word in ended.out
    assert '"name": "flair-threshold"' in bratsseg("models", "--json").out
    assert len(bratsseg("models", "flair-threshold").out) > len(ended.out) / 2
