"""Makes the bundled model for product pictures of two runs of a recipe, and says how good it is.

    modiste bench marathon --seeds 1 --keep
    modiste train marathon --set data.val_fraction=0.2 --name fashion-mnist
    python benchmarks/bundled.py runs/bench/marathon/seed-0 runs/fashion-mnist

WHOLE learned from all training images, HELD_OUT from all but a fold. By that fold the form is chosen and the
temperature fitted, with HELD_OUT; then WHOLE in that form is judged on test. Writes results/fashion-mnist.json, and the
model as bundled.onnx beside that of WHOLE. Forms are timed, so nothing else should run.
"""

import argparse
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import timing
from runtimes import latency, onnxruntime, throughput

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

COST = 0.001
"""Accuracy that a quicker form may lose on the images held out."""

UNSURE = 0.95
"""Below this there is a second look: from 0.6 on accuracy is that of both views, and loss still gains a little."""


@dataclass(frozen=True, slots=True)
class Form:
    """How a network becomes a model file.

    Args:
        name: for people.
        int8: in 8-bit integers.
        flip_tta: it answers by the mean over each image and its mirror image.
        tta_threshold: as `inference.model.Model`.
    """

    name: str
    int8: bool
    flip_tta: bool = False
    tta_threshold: float = 0.0

    @property
    def facts(self) -> dict[str, str]:
        """What the metadata of its file says of it."""
        numbers = {"precision": "int8"} if self.int8 else {}
        return {"tta_threshold": repr(self.tta_threshold)} | numbers


FORMS = (
    Form("8 bits, one view", int8=True),
    Form("8 bits, a second look", int8=True, tta_threshold=UNSURE),
    Form("8 bits, both views", int8=True, flip_tta=True),
    Form("floats, one view", int8=False),
    Form("floats, a second look", int8=False, tta_threshold=UNSURE),
    Form("floats, both views", int8=False, flip_tta=True),
)

TOLD = ("n", "accuracy", "interval_images", "loss", "ece", "ece_calibrated")
"""Of the scores on test."""


def require_pair(whole: Run, held_out: Run) -> None:
    """Exit unless the runs are one training but for the fold that one held out; else what it says is of another."""
    one, other = whole.recipe(), held_out.recipe()
    apart = replace(other.data, val_fraction=one.data.val_fraction, fold=one.data.fold)
    if one.data.val_fraction or not other.data.val_fraction or replace(other, data=apart) != one:
        raise SystemExit(f"{held_out.path} is not the recipe of {whole.path} with a fold held out.")
    if not teachers(held_out) <= teachers(whole):
        raise SystemExit(f"{held_out.path} learned from others than {whole.path} did.")
    for run in (whole, held_out):
        if not run.weights.is_file():
            raise SystemExit(f"{run.path} has no weights. Train it again, a bench with --keep.")


def teachers(run: Run) -> set[str]:
    """What the weights of a run's teachers are known by."""
    return {str(each["sha256"]) for each in run_info.read(run).teachers}


def exported(run: Run, flip_tta: bool, calibration: Calibration, path: Path) -> Path:
    """Write the network of a run as a model file, in floats; return the path."""
    recipe = run.recipe()
    recipe = replace(recipe, model=replace(recipe.model, flip_tta=flip_tta))
    names = sources.class_names(recipe.data)
    network = weights.load_trained(run, recipe.model, len(names))
    path.write_bytes(onnx_file.to_onnx(network, recipe, names, {}, calibration))
    return path


def converted(model: Path, to_int8: bool, sample: Images) -> bytes:
    """The content of an exported model, as it is or in 8 bits, whose ranges are then those of the sample."""
    return int8.quantize(model, sample) if to_int8 else model.read_bytes()


def chosen(run: Run) -> tuple[Form, dict[str, Any]]:
    """The quickest form that is as good as any on the images that a run held out, and what was found on them."""
    recipe = run.recipe()
    data = sources.open_training(recipe.data, recipe.seed)
    judged, sample = data.validation, data.train.images[: export.CALIBRATION_IMAGES]
    require_held_out(run, judged)
    with tempfile.TemporaryDirectory() as home:
        models = {views: exported(run, views, Calibration(), Path(home) / f"{views}.onnx") for views in (False, True)}
        contents = {
            (views, to_int8): converted(path, to_int8, sample)
            for views, path in models.items()
            for to_int8 in (True, False)
        }
    formed = [int8.with_metadata(contents[form.flip_tta, form.int8], form.facts) for form in FORMS]
    loaded = list(map(model_file.load, formed))
    said = [model.probabilities(judged.images) for model in loaded]
    found = [
        {
            "form": form.name,
            "tta_threshold": form.tta_threshold,
            "tta_fraction": tta_fraction(model, judged.images),
            "accuracy": float(judged.is_correct(probabilities.argmax(1)).mean()),
            "milliseconds_one_image_one_thread": 1000 * latency(onnxruntime(content)(1), judged.images),
            "images_a_second_two_threads": throughput(onnxruntime(content)(2), judged.images),
        }
        for form, content, model, probabilities in zip(FORMS, formed, loaded, said, strict=True)
    ]
    place = best(found)
    temperature = calibration.fit_temperature(said[place], judged)
    return FORMS[place], {"n": len(judged), "forms": found, "temperature": temperature}


def tta_fraction(model: Model, images: Images) -> float:
    """The share of the images that a model gives a second look."""
    first = replace(model, tta_threshold=0.0).probabilities(images)
    return float((first.max(1) < model.tta_threshold).mean())


def made(run: Run, form: Form, temperature: float) -> Path:
    """Write the model to bundle; return its path."""
    path = exported(run, form.flip_tta, Calibration(temperature), run.path / "bundled.onnx")
    recipe = run.recipe()
    sample = sources.open_training(recipe.data, recipe.seed).train.images[: export.CALIBRATION_IMAGES]
    path.write_bytes(int8.with_metadata(converted(path, form.int8, sample), form.facts))
    return path


def best(found: list[dict[str, Any]]) -> int:
    """The place of the form of most images a second, of those that are as good as any."""
    least = max(each["accuracy"] for each in found) - COST
    good = [place for place, each in enumerate(found) if each["accuracy"] >= least]
    return max(good, key=lambda place: found[place]["images_a_second_two_threads"])


def main() -> None:
    """Choose, make, judge and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("whole", type=Path)
    parser.add_argument("held_out", type=Path)
    parser.add_argument("--out", type=Path, default=Path("results/fashion-mnist.json"))
    given = parser.parse_args()
    whole, held_out = open_run(given.whole), open_run(given.held_out)
    require_pair(whole, held_out)
    form, found = chosen(held_out)
    model = made(whole, form, found["temperature"])
    test = evaluate(model)
    results.write(
        given.out,
        recipe=whole.recipe().name,
        command=timing.command(),
        runs=[results.run_record(whole)],
        form=form.name,
        held_out=found | {"run": results.run_record(held_out)},
        test={key: getattr(test, key) for key in TOLD},
    )
    print(f"{model}: {form.name}, right on {test.accuracy:.2%} of {test.n:,} test images\n{given.out}")


if __name__ == "__main__":
    main()
