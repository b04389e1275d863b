"""What a release states of itself: its version everywhere, and the licenses of what it uses."""

import ast
import re
import tomllib
from fnmatch import fnmatch
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

import pytest

import modiste

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
STATED = dict(re.findall(r"(?m)^    ([\w*-]+): (.+)$", (ROOT / "NOTICE").read_text(encoding="utf-8")))
"""License of each package, by its name, as NOTICE has it."""

FAMILIES = {
    "MIT": r"\bMIT\b", "BSD": r"BSD", "Apache": r"Apache", "PSF": r"PSF|Python Software Foundation", "LGPL": r"LGPL",
    "ISC": r"\bISC\b|ISCL", "MPL": r"MPL", "Zlib": r"Zlib", "NVIDIA": r"NVIDIA|Proprietary",
}  # fmt: skip
PERMISSIVE = {"MIT", "BSD", "Apache", "ISC", "PSF", "Zlib"}


def dependencies() -> set[str]:
    """The names of all packages in pyproject.toml, those of the extras included."""
    lines = [*PROJECT["dependencies"], *(line for extra in PROJECT["optional-dependencies"].values() for line in extra)]
    return {re.split(r"[^\w.-]", line)[0] for line in lines if not line.startswith("modiste[")}


def families(license_text: str) -> set[str]:
    """The families of licenses that a text names."""
    return {name for name, pattern in FAMILIES.items() if re.search(pattern, license_text)}


def installed_license(name: str) -> str:
    """What an installed package states; skips the test where it is not installed."""
    try:
        about = metadata(name)
    except PackageNotFoundError:
        pytest.skip(f"{name} is not installed")
    classifiers = [line for line in about.get_all("Classifier", []) if line.startswith("License")]
    texts = [about.get("License-Expression"), *classifiers, (about.get("License") or "")[:200]]
    return "; ".join(text for text in texts if text)


def locked() -> list[str]:
    """The packages of the lock files."""
    texts = [path.read_text(encoding="utf-8") for path in sorted(ROOT.glob("requirements*.lock"))]
    return sorted({name for text in texts for name in re.findall(r"(?m)^([\w.-]+)==", text)})


def test_every_dependency_has_its_license_in_the_notice() -> None:
    """And no package is there that is not used."""
    others = {name for name in STATED if name in locked() or "NVIDIA" in STATED[name]}
    assert dependencies() <= STATED.keys()
    assert {name for name in STATED.keys() - dependencies() if name not in others} == set()


@pytest.mark.parametrize("name", sorted(dependencies()))
def test_the_stated_license_is_that_of_the_package(name: str) -> None:
    """As far as its metadata has one."""
    found = families(installed_license(name))
    assert not found or families(STATED[name]) & found


@pytest.mark.parametrize("name", locked())
def test_a_locked_package_is_permissive_or_in_the_notice(name: str) -> None:
    """So that no other license comes in unnoticed."""
    found = families(installed_license(name))
    is_stated = any(fnmatch(name.lower(), pattern.lower()) for pattern in STATED)
    assert is_stated or (found and found <= PERMISSIVE)


def test_the_data_and_weights_in_the_package_have_their_licenses() -> None:
    """Fashion-MNIST, the photos, and the weights that `photo` starts from."""
    text = (ROOT / "NOTICE").read_text(encoding="utf-8")
    for words in ("MIT License", "EfficientNet-Lite1", "Apache License", "clothing-dataset-small", "CC0 1.0"):
        assert words in " ".join(text.split())
    assert (ROOT / "src" / "modiste" / "assets" / "fashion-mnist" / "LICENSE").is_file()


SYSTEM_MODULES = {"fcntl", "grp", "msvcrt", "posix", "pwd", "resource", "termios", "winreg"}


def test_no_module_needs_a_certain_system() -> None:
    """What only some systems have is imported where it is used, behind a check."""
    for path in (ROOT / "src" / "modiste").rglob("*.py"):
        imports = [node for node in ast.parse(path.read_bytes()).body if isinstance(node, ast.Import | ast.ImportFrom)]
        names = {alias.name for node in imports for alias in node.names} | {
            getattr(node, "module", "") for node in imports
        }
        assert not names & SYSTEM_MODULES, path


def test_the_version_is_the_same_everywhere() -> None:
    """In the package, the changelog and the citation."""
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.findall(r"(?m)^## \[(\d+\.\d+\.\d+)\]", changelog)[0] == modiste.__version__
    assert f"\nversion: {modiste.__version__}\n" in citation
