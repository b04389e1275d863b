"""The command `modiste export --web`: the folder that it writes, and the package of the runtime."""

import hashlib
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from helpers.models import tiny_model
from helpers.static_host import hosting
from modiste import inference
from modiste.cli.export import export
from modiste.errors import InputError, SettingError
from modiste.inference.model import Model
from modiste.web import onnxruntime_web
from modiste.web.static_site import Site


def test_the_folder_is_complete_and_small(write: Callable[[Model], Site]) -> None:
    """All files but the service worker are saved by it; beside the model there are at most 16 MB."""
    site = write(*inference.load("photo", threads=1).models)
    assert site.other_bytes < 16e6
    files = {str(path.relative_to(site.folder)) for path in site.folder.rglob("*") if path.is_file()}
    listed = json.loads((site.folder / "files.js").read_text().partition("FILES = ")[2].rstrip(";\n"))
    assert set(listed) == (files - {"service-worker.js", "files.js"}) | {"./"}
    assert sum((site.folder / name).stat().st_size for name in files) == site.model_bytes + site.other_bytes
    assert {"docs.html", "docs.js"}.isdisjoint(files)


def run(*arguments: object) -> str:
    """Run the command and return its output; errors are raised."""
    return CliRunner().invoke(export, [str(part) for part in arguments], catch_exceptions=False).output


@pytest.mark.slow
def test_the_command_writes_the_folder(tmp_path: Path, write: Callable[[Model], Site]) -> None:
    """Of a model file, and with the package of the runtime that is in the cache or named."""
    assert write
    (tmp_path / "own.onnx").write_bytes(tiny_model(("cup", "plate"), size=32, channels=3))
    result = json.loads(run(tmp_path / "own.onnx", "--web", tmp_path / "site", "--json"))
    assert result["other_megabytes"] < 16
    about = json.loads((tmp_path / "site" / "about.json").read_text())
    assert (about["models"][0]["name"], about["samples"]) == ("own", [])
    package = onnxruntime_web.cache_file()
    output = run(tmp_path / "own.onnx", "--web", tmp_path / "again", "--onnxruntime-web", package)
    assert f"python -m http.server --directory {tmp_path / 'again'}" in output
    assert (tmp_path / "again" / "files.js").read_bytes() == (tmp_path / "site" / "files.js").read_bytes()


def test_what_cannot_be_written_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with files, a runtime of another version or that cannot be downloaded, and options that do not fit."""
    model, package = tmp_path / "own.onnx", tmp_path / "other.tgz"
    model.write_bytes(tiny_model())
    package.write_bytes(b"another version")
    with pytest.raises(InputError, match="exists already"):
        run(model, "--web", tmp_path)
    with pytest.raises(InputError, match=r"SHA-512 is another.*npm pack onnxruntime-web@"):
        run(model, "--web", tmp_path / "site", "--onnxruntime-web", package)
    with pytest.raises(InputError, match="cannot be read"):
        run(model, "--web", tmp_path / "site", "--onnxruntime-web", tmp_path / "missing.tgz")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("NPM_CONFIG_REGISTRY", "http://127.0.0.1:9/")
    with pytest.raises(InputError, match=r"127.0.0.1:9.* cannot be downloaded .*--onnxruntime-web"):
        run(model, "--web", tmp_path / "site")
    with pytest.raises(SettingError, match="--onnxruntime-web is without --web"):
        run(model, "--onnxruntime-web", package)
    with pytest.raises(SettingError, match="--web writes a folder"):
        run(model, "--web", tmp_path / "site", "--int8")
    assert not (tmp_path / "site").exists()


def test_a_download_is_verified_and_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a registry sends must have the pinned SHA-512; it is then in the cache."""
    (tmp_path / "onnxruntime-web" / "-").mkdir(parents=True)
    served = tmp_path / "onnxruntime-web" / "-" / onnxruntime_web.NAME
    served.write_bytes(b"another version")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with hosting(tmp_path) as registry:
        monkeypatch.setenv("NPM_CONFIG_REGISTRY", registry.url)
        with pytest.raises(InputError, match="has another SHA-512"):
            onnxruntime_web.read_files()
        package = small_package()
        served.write_bytes(package)
        monkeypatch.setattr(onnxruntime_web, "SHA512", hashlib.sha512(package).hexdigest())
        assert onnxruntime_web.read_files()["ort.js"] == b"content of ort.wasm.bundle.min.mjs"
    assert onnxruntime_web.read_files()["ort.wasm"] == b"content of ort-wasm-simd-threaded.wasm"  # from the cache


def small_package() -> bytes:
    """A package with the names of the runtime's files."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        for name in onnxruntime_web.FILES:
            data = f"content of {name}".encode()
            entry = tarfile.TarInfo(f"package/dist/{name}")
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return content.getvalue()
