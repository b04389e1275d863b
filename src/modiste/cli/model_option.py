"""What --model may be: an .onnx file, a run folder, the name of a bundled model, or nothing for whichever fits."""

from pathlib import Path


def file_of(model: str | None) -> str | Path | None:
    """The model file or the name that --model means; raises InputError when it is a folder and no run with a model."""
    from modiste.inference import bundled_files

    if not model or model in bundled_files.NAMES or not Path(model).is_dir():
        return model
    from modiste.runs.folder import open_run, require_model

    run = open_run(Path(model))
    require_model(run)
    return run.model
