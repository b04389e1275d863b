"""Ranges of the numbers and names in a recipe, as annotations of its fields, and the rules that follow from them."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, is_dataclass
from typing import Annotated, Any, get_type_hints


@dataclass(frozen=True, slots=True)
class Range:
    """The numbers from `low` to `high`, each included unless it is open."""

    low: float
    high: float = math.inf
    open_low: bool = False
    open_high: bool = False

    def __contains__(self, value: float) -> bool:
        is_above = self.low < value if self.open_low else self.low <= value
        return is_above and (value < self.high if self.open_high else value <= self.high)

    def __str__(self) -> str:
        low = f"above {self.low:.10g}" if self.open_low else f"at least {self.low:.10g}"
        high = f"below {self.high:.10g}" if self.open_high else f"at most {self.high:.10g}"
        return low if self.high == math.inf else f"{low} and {high}"


@dataclass(frozen=True, slots=True)
class NameOrFactory:
    """The built-in names, and `package.module:factory` for a factory of the user's own."""

    names: tuple[str, ...]

    def __contains__(self, value: str) -> bool:
        return value in self.names or is_factory(value)

    def __str__(self) -> str:
        return f"one of {', '.join(self.names)}, or package.module:factory"


def is_factory(name: str) -> bool:
    """Return whether a name has the form `package.module:factory`."""
    module, _, attribute = name.partition(":")
    return bool(module and attribute)


Fraction = Annotated[float, Range(0, 1)]
FractionBelow1 = Annotated[float, Range(0, 1, open_high=True)]
FractionAbove0 = Annotated[float, Range(0, 1, open_low=True)]
Positive = Annotated[float, Range(0, open_low=True)]
Count = Annotated[int, Range(0)]

FactoryOptions = Mapping[str, Any]
"""Names and JSON values of arguments for a factory."""

Rule = tuple[str, bool, str]  # dotted key of a setting, whether its value is allowed, which values are


def range_rules(config: object, section: str = "") -> Iterator[Rule]:
    """Yield the rule of each number of a recipe, or of one of its sections, that has a range."""
    for key, annotation in get_type_hints(type(config), include_extras=True).items():
        value = getattr(config, key)
        if is_dataclass(value):
            yield from range_rules(value, f"{key}.")
        for limits in getattr(annotation, "__metadata__", ()):
            yield f"{section}{key}", value in limits, str(limits)
