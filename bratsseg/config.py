"""Typed, frozen configuration: read once, refused when unknown, saved beside every result."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from bratsseg.errors import ConfigError

ConfigT = TypeVar("ConfigT", bound="Config")


class Config(BaseModel):
    """Base of every config: frozen, and a key that nobody declared is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


def read_config(kind: type[ConfigT], path: Path, overrides: Sequence[str] = ()) -> ConfigT:
    """Read a YAML file as ``kind``, with ``key.sub=value`` overrides applied first.

    Raises ``ConfigError`` naming the file, the key, and what was wrong with it.
    """
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"config {path}: must be a readable text file; {error}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"config {path}: is not valid YAML; {error}") from error
    values = {} if raw is None else raw
    if not isinstance(values, dict):
        raise ConfigError(f"config {path}: must be keys and values, was {type(values).__name__}")
    for override in overrides:
        _apply_override(values, override)
    return parse_config(kind, values, f"config {path}")


def parse_overrides(kind: type[ConfigT], overrides: Sequence[str], owner: str) -> ConfigT:
    """The defaults of ``kind`` with ``key.sub=value`` overrides; ``owner`` opens the message of the ``ConfigError``."""
    values: dict[str, Any] = {}
    for override in overrides:
        _apply_override(values, override)
    return parse_config(kind, values, owner)


def parse_config(kind: type[ConfigT], values: dict[str, Any], owner: str) -> ConfigT:
    """Validate ``values`` as ``kind``; ``owner`` opens the message of the ``ConfigError``."""
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        problems = "; ".join(
            f"{_as_typed(item['loc'], values) or '(whole)'}: {item['msg']}, was {_shown(item['input'])}"
            for item in error.errors()
        )
        raise ConfigError(f"{owner}: {problems}") from error


def write_config(config: Config, path: Path) -> None:
    """Save ``config`` as YAML that ``read_config`` reads back equal."""
    text = yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    path.write_text(text, encoding="utf-8")


def _apply_override(values: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise ConfigError(f"override {override!r}: must read key=value or key.sub=value")
    *parents, last = key.split(".")
    place = values
    for parent in parents:
        place = place.setdefault(parent, {})
        if not isinstance(place, dict):
            raise ConfigError(f"override {override!r}: {parent} is not a group of keys")
    try:
        place[last] = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"override {override!r}: the value is not valid YAML") from error


def _as_typed(loc: Sequence[str | int], values: object) -> str:
    """The key as the user typed it: pydantic adds which member of a union it tried."""
    typed, place = [], values
    for part in loc:
        if isinstance(place, dict):
            if part not in place and part in place.values():  # the union's word for the kind
                continue
            typed.append(str(part))
            place = place.get(part)
        elif isinstance(part, int) and isinstance(place, list | tuple) and part < len(place):
            typed.append(str(part))
            place = place[part]
    return ".".join(typed)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
