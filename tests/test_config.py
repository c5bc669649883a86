from __future__ import annotations

import pytest

from bratsseg.config import parse_overrides
from bratsseg.errors import ConfigError
from bratsseg.synthesis.generator import SynthesisConfig


def test_overrides_alone_change_the_defaults():
    found = parse_overrides(SynthesisConfig, ["tumour.none=0", "tumour.radius_mm=[4, 20]"], "--synthesis")
    assert found.tumour.none == 0
    assert found.tumour.radius_mm == (4, 20)
    assert found.contrast == SynthesisConfig().contrast
    assert parse_overrides(SynthesisConfig, [], "--synthesis") == SynthesisConfig()


@pytest.mark.parametrize(
    ("override", "told"),
    [("tumour.nothing=0", "tumour.nothing"), ("tumour.none=many", "tumour.none"), ("tumour", "must read key=value")],
)
def test_an_unknown_or_mistyped_override_is_refused(override, told):
    with pytest.raises(ConfigError, match=told):
        parse_overrides(SynthesisConfig, [override], "--synthesis")
