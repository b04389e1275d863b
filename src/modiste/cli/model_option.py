"""The option --model: an .onnx file, a run folder, or a bundled model; left out, a bundled model per photo."""

from pathlib import Path


def find_model(model: str | None) -> str | Path | None:
    """Return the model file or the name of a bundled model; raises InputError for a folder that has no model."""
    from modiste.errors import InputError
    from modiste.inference import bundled_files

    if model == "":
        raise InputError("--model is empty. Give an .onnx file, a run folder or a bundled model, or leave it out.")
    if model is None or model in bundled_files.NAMES or not Path(model).is_dir():
        return model
    from modiste.runs.folder import open_run, require_model

    run = open_run(Path(model))
    require_model(run)
    return run.model
