"""The files of a finished run: weights, layers, model, curves, card, and last the marker.

Each follows from the last checkpoint alone, so that `resume` writes the same files after a kill between any two.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from modiste.export import model_card, onnx_file
from modiste.inference import tta
from modiste.inference.calibration import FLOOR
from modiste.metrics import calibration
from modiste.models import networks, weights
from modiste.models.normalized import NormalizedModel
from modiste.models.summary import summarize_layers
from modiste.reporting import figures
from modiste.runs import files, folder, metrics_file, run_info
from modiste.runs.folder import Run
from modiste.training.build import Training
from modiste.training.step import NotANumber
from modiste.training.validator import predict_logits

MAX_VERIFIED_TRAIN_IMAGES = 1000  # on which an exported model is verified where nothing was held out


def finish(training: Training, run: Run) -> None:
    """Write the files of a run whose training has ended.

    Raises:
        TrainingError: the network's probabilities are not numbers, or the exported model has others.
        OutputError: a file cannot be written.
    """
    state, data, recipe = training.state, training.data, training.recipe
    metrics_file.write(run.metrics, state.history)  # a kill may have come between checkpoint and metrics
    network = state.network
    network.load_state_dict(state.best_weights)
    network.flip_tta, network.eval_blur = recipe.model.flip_tta, recipe.model.eval_blur  # not used in training
    # on the device of the images, and in the layout in which convolutions are fastest
    images = training.validator.images if len(data.validation) else training.batches.images[:MAX_VERIFIED_TRAIN_IMAGES]
    plain = _predict(network, images)
    if not np.isfinite(plain).all():
        raise NotANumber("The probabilities of the trained network are not numbers. Lower optimizer.lr in a new run.")
    probabilities = tta.average_views(
        plain[: len(data.validation)],
        images[: len(data.validation)].cpu().numpy(),
        lambda views: _predict(network, torch.from_numpy(views.copy()).to(images.device)),
        recipe.model.tta_threshold,
        recipe.model.tta_crop,
    )
    scores = _scores(training, probabilities)
    network = network.cpu().to(memory_format=torch.contiguous_format)
    weights.write_weights(network, run.weights)
    files.write_json(run.layers, summarize_layers(network, torch.from_numpy(data.train.images[0])))
    label_groups = calibration.find_label_groups(data.train.candidate_labels)
    fitted = calibration.fit_calibration(probabilities, data.validation, data.class_names, label_groups)
    content = onnx_file.to_onnx(network, recipe, data.class_names, scores, fitted, data.is_on_black)
    onnx_file.write_verified(run.model, content, plain, images.cpu().numpy())
    best_epoch = metrics_file.best_epoch(state.history, recipe.early_stopping)
    figures.save_curves({run.name: state.history}, run.curves, {run.name: best_epoch})
    parameters = networks.count_parameters(network)
    continued_from = run_info.read(run).continued_from
    files.write_text(run.card, model_card.render(run.name, recipe, data, scores, fitted, parameters, continued_from))
    folder.finish(run)


def _predict(network: NormalizedModel, images: Tensor) -> NDArray[np.float32]:
    return torch.softmax(predict_logits(network, images), 1).cpu().numpy()


def _scores(training: Training, probabilities: NDArray[np.float32]) -> dict[str, Any]:
    """Return epoch, training and validation scores of the best weights; the test split is not used.

    The probabilities are those of the validation images.
    """
    history, options = training.state.history, training.recipe.model
    best = history[metrics_file.best_epoch(history, training.recipe.early_stopping) - 1]
    scores = {"epoch": best.epoch, "train": {"loss": best.train_loss, "accuracy": best.train_accuracy}}
    if n := len(training.data.validation):
        loss, accuracy = best.val_loss, best.val_accuracy
        if options.flip_tta or options.eval_blur or options.tta_threshold:
            logits = torch.from_numpy(probabilities).clamp_min(FLOOR).log()
            loss, accuracy = training.validator.score(logits.to(training.validator.labels.device))
        scores["validation"] = {"n": n, "loss": loss, "accuracy": accuracy}
    return scores
