"""What --model may be: an .onnx file, a run folder, or nothing for the bundled one."""

from pathlib import Path


def file_of(model: str | None) -> str | Path | None:
    """The model file that --model means; raises InputError when it is a folder and no run."""
    if not model or not Path(model).is_dir():
        return model
    from modiste.runs.folder import open_run

    return open_run(Path(model)).model
