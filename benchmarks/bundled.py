"""Make the bundled Fashion-MNIST model from two runs of a recipe, and evaluate it.

    modiste bench marathon --seeds 1 --keep
    modiste train marathon --set data.val_fraction=0.2 --name fashion-mnist
    python benchmarks/bundled.py runs/bench/marathon/seed-0 runs/fashion-mnist

The first run is trained on all training images, the second one on all but a validation fold. On that fold the form is
chosen and the temperature is fitted, with the second run; then the first run in that form is evaluated on test. It
writes results/fashion-mnist.json, and the model as bundled.onnx into the folder of the first run. Forms are timed, so
nothing else should run.
"""

import argparse
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import timing
from runtimes import latency, onnxruntime_cpu, throughput

from modiste.data import sources
from modiste.data.split import Images
from modiste.export import export, int8, onnx_file
from modiste.inference import model_file
from modiste.inference.calibration import Calibration
from modiste.inference.model import Model
from modiste.metrics import calibration
from modiste.metrics.evaluation import require_held_out
from modiste.models import weights
from modiste.reporting.evaluate import evaluate
from modiste.runs import results, run_info
from modiste.runs.folder import Run, open_run

MAX_ACCURACY_LOSS = 0.001
"""Accuracy on the validation fold that a faster form may lose."""

TTA_THRESHOLD = 0.95
"""From 0.6 on the accuracy equals that of flip TTA for every image; the loss still improves a little above that."""


@dataclass(frozen=True, slots=True)
class Form:
    """How a network becomes a model file.

    Args:
        name: as the results file has it.
        int8: quantized to 8-bit integers.
        flip_tta: average the probabilities of each image and its horizontal flip.
        tta_threshold: as `inference.model.Model`.
    """

    name: str
    int8: bool
    flip_tta: bool = False
    tta_threshold: float = 0.0

    @property
    def metadata(self) -> dict[str, str]:
        """The entries of the model file's metadata."""
        return {"tta_threshold": repr(self.tta_threshold)} | ({"precision": "int8"} if self.int8 else {})


FORMS = (
    Form("int8", int8=True),
    Form("int8, TTA below a threshold", int8=True, tta_threshold=TTA_THRESHOLD),
    Form("int8, flip TTA", int8=True, flip_tta=True),
    Form("fp32", int8=False),
    Form("fp32, TTA below a threshold", int8=False, tta_threshold=TTA_THRESHOLD),
    Form("fp32, flip TTA", int8=False, flip_tta=True),
)

TEST_SCORES = ("n", "accuracy", "interval_images", "loss", "ece", "ece_calibrated")


def require_pair(full: Run, held_out: Run) -> None:
    """Exit unless the runs differ only in the validation fold, so that choices on it apply to both."""
    recipe, other = full.recipe(), held_out.recipe()
    data = replace(other.data, val_fraction=recipe.data.val_fraction, fold=recipe.data.fold)
    if recipe.data.val_fraction or not other.data.val_fraction or replace(other, data=data) != recipe:
        raise SystemExit(f"{held_out.path} is not the recipe of {full.path} with a validation fold.")
    if not teacher_hashes(held_out) <= teacher_hashes(full):
        raise SystemExit(f"{held_out.path} has other teachers than {full.path}.")
    for run in (full, held_out):
        if not run.weights.is_file():
            raise SystemExit(f"{run.path} has no weights. Train it again; bench needs --keep.")


def teacher_hashes(run: Run) -> set[str]:
    """Return the SHA-256 of the weights of each teacher of a run."""
    return {str(each["sha256"]) for each in run_info.read(run).teachers}


def export_run(run: Run, flip_tta: bool, calibration: Calibration, path: Path) -> Path:
    """Write the network of a run as an fp32 model file; return the path."""
    recipe = run.recipe()
    recipe = replace(recipe, model=replace(recipe.model, flip_tta=flip_tta))
    names = sources.open_source(recipe.data).class_names
    network = weights.load_trained(run, recipe.model, len(names))
    path.write_bytes(onnx_file.to_onnx(network, recipe, names, {}, calibration))
    return path


def convert(model: Path, to_int8: bool, sample: Images) -> bytes:
    """Return the content of a model file, unchanged or as int8 with ranges calibrated on the sample."""
    return int8.quantize(model, sample) if to_int8 else model.read_bytes()


def choose_form(run: Run) -> tuple[Form, dict[str, Any]]:
    """Return the fastest form without loss of accuracy on the validation fold of a run, and the scores of all forms."""
    recipe = run.recipe()
    data = sources.open_training(recipe.data, recipe.seed)
    validation, sample = data.validation, data.train.images[: export.CALIBRATION_IMAGES]
    require_held_out(run, validation)
    with tempfile.TemporaryDirectory() as home:
        models = {tta: export_run(run, tta, Calibration(), Path(home) / f"{tta}.onnx") for tta in (False, True)}
        contents = {
            (tta, to_int8): convert(path, to_int8, sample) for tta, path in models.items() for to_int8 in (True, False)
        }
    files = [int8.with_metadata(contents[form.flip_tta, form.int8], form.metadata) for form in FORMS]
    loaded = list(map(model_file.load, files))
    probabilities = [model.probabilities(validation.images) for model in loaded]
    scores = [
        {
            "form": form.name,
            "tta_threshold": form.tta_threshold,
            "tta_fraction": tta_fraction(model, validation.images),
            "accuracy": float(validation.is_correct(each.argmax(1)).mean()),
            "milliseconds_one_image_one_thread": 1000 * latency(onnxruntime_cpu(content)(1), validation.images),
            "images_a_second_two_threads": throughput(onnxruntime_cpu(content)(2), validation.images),
        }
        for form, content, model, each in zip(FORMS, files, loaded, probabilities, strict=True)
    ]
    index = find_fastest(scores)
    temperature = calibration.fit_temperature(probabilities[index], validation)
    return FORMS[index], {"n": len(validation), "forms": scores, "temperature": temperature}


def tta_fraction(model: Model, images: Images) -> float:
    """Return the fraction of images that a model predicts with TTA because of its threshold."""
    without_tta = replace(model, tta_threshold=0.0).probabilities(images)
    return float((without_tta.max(1) < model.tta_threshold).mean())


def write_bundled(run: Run, form: Form, temperature: float) -> Path:
    """Write the bundled model of a run in this form; return its path."""
    path = export_run(run, form.flip_tta, Calibration(temperature), run.path / "bundled.onnx")
    recipe = run.recipe()
    sample = sources.open_training(recipe.data, recipe.seed).train.images[: export.CALIBRATION_IMAGES]
    path.write_bytes(int8.with_metadata(convert(path, form.int8, sample), form.metadata))
    return path


def find_fastest(scores: list[dict[str, Any]]) -> int:
    """Return the index of the form with the highest throughput among those within `MAX_ACCURACY_LOSS` of the best."""
    min_accuracy = max(each["accuracy"] for each in scores) - MAX_ACCURACY_LOSS
    accurate = [index for index, each in enumerate(scores) if each["accuracy"] >= min_accuracy]
    return max(accurate, key=lambda index: scores[index]["images_a_second_two_threads"])


def main() -> None:
    """Choose the form, write the model, evaluate it and write the results file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("full", type=Path, help="run trained on all training images")
    parser.add_argument("held_out", type=Path, help="run of the same recipe with a validation fold")
    parser.add_argument("--out", type=Path, default=Path("results/fashion-mnist.json"))
    args = parser.parse_args()
    full, held_out = open_run(args.full), open_run(args.held_out)
    require_pair(full, held_out)
    form, scores = choose_form(held_out)
    model = write_bundled(full, form, scores["temperature"])
    test = evaluate(model, data=full.recipe().data.source or None)  # the model file does not have its path
    results.write(
        args.out,
        recipe=full.recipe().name,
        command=timing.current_command(),
        runs=[results.run_record(full)],
        form=form.name,
        held_out=scores | {"run": results.run_record(held_out)},
        test={key: getattr(test, key) for key in TEST_SCORES},
    )
    print(f"{model}: {form.name}, accuracy {test.accuracy:.2%} on {test.n:,} test images\n{args.out}")


if __name__ == "__main__":
    main()
