"""The public API: four functions of `modiste`, imported when they are used."""

import subprocess
import sys

import pytest

import modiste
from helpers.models import tiny_model


@pytest.mark.parametrize("name", ["load", "train", "evaluate", "compare"])
def test_a_public_function_is_an_attribute_of_the_package(name: str) -> None:
    """And documented."""
    assert getattr(modiste, name).__doc__


def test_a_model_can_be_loaded_and_used() -> None:
    """As the README does."""
    assert modiste.load(tiny_model()).predict([]) == []


def test_another_attribute_is_an_attribute_error() -> None:
    """As for any module."""
    with pytest.raises(AttributeError, match="no attribute 'fit'"):
        modiste.fit  # noqa: B018  the attribute is what is tested


def test_importing_the_package_imports_nothing_else() -> None:
    """So it takes no time and works without any extra."""
    code = "import sys; import modiste; assert not {'numpy', 'PIL', 'onnxruntime', 'torch', 'click'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
