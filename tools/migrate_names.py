"""Rename the settings and keys of recipes, results files, run folders and bundled models; run once, then deleted.

Numbers are not touched: each file is compared with its old content, value by value.

    python tools/migrate_names.py
"""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import onnx

ROOT = Path(__file__).parents[1]
SECTIONS = {"network": "model", "stopping": "early_stopping"}
KEYS = {
    "data": {
        "size": "image_size",
        "validation": "val_fraction",
        "limit": "max_train_images",
        "catalogue": "synthetic_per_class",
    },
    "network": {
        "initialisation": "init",
        "drop_path": "drop_path_rate",
        "stem": "stem_width",
        "growth": "width_multiplier",
        "blocks": "blocks_per_stage",
        "mirrored": "flip_tta",
        "softened": "eval_blur",
        "frozen": "freeze_stages",
    },
    "augmentation": {
        "flip": "horizontal_flip",
        "crop": "random_crop_padding",
        "coarse": "random_downscale",
        "zoom": "random_resized_crop_scale",
        "turn": "rotation_degrees",
        "size": "train_size",
        "colour": "color_jitter",
        "hue": "hue_jitter",
        "erasing": "random_erasing_prob",
        "erasing_scale": "random_erasing_scale",
        "erasing_ratio": "random_erasing_ratio",
        "mixing": "mixup_prob",
    },
    "optimizer": {
        "lr_head": "head_lr_mult",
        "lr_rest": "norm_bias_lr_mult",
        "batch": "batch_size",
        "smoothing": "label_smoothing",
        "average": "ema_decay",
    },
    "distillation": {"share": "weight"},
    "schedule": {"warmup": "warmup_fraction", "drop": "skip_easy_fraction"},
}
VALUES = {
    "plateau": "reduce_on_plateau",
    "triangle": "one_cycle",
    "validation/loss": "val_loss",
    "validation/accuracy": "val_accuracy",
    "8 bits, one view": "int8",
    "8 bits, a second look": "int8, TTA below a threshold",
    "8 bits, both views": "int8, flip TTA",
    "floats, one view": "fp32",
    "floats, a second look": "fp32, TTA below a threshold",
    "floats, both views": "fp32, flip TTA",
}
RECORD = {
    "test_accuracy": "accuracy",
    "test_loss": "loss",
    "test_images": "images",
    "test_accuracy_mirrored": "accuracy_flip_tta",
    "accuracy_mirrored": "accuracy_flip_tta",
    "mean_mirrored": "mean_flip_tta",
    "validation_images": "images",
    "validation_accuracy": "val_accuracy",
    "validation_loss": "val_loss",
    "epoch_kept": "best_epoch",
    "second_look": "tta_threshold",
    "looked_at_twice": "tta_fraction",
    "label_groups": "label_groups",
    "about": "description",
    "answered": "answered",
    "answered_correct": "answered_correct",
    "answers_correct": "answers_correct",
    "answers_correct_interval": "answers_correct_interval",
    "unseen_kinds": "unseen_kinds",
    "same_class_after": "same_class_after",
}
SCORES = {
    "labels": "per_class",
    "confusion": "confusion_matrix",
    "confusion_normalised": "confusion_matrix_normalized",
    "confused": "most_confused",
    "worst": "worst_mistakes",
}


def setting(key: str) -> str:
    """The new name of a dotted key, with or without `=value` behind it."""
    section, _, rest = key.partition(".")
    name, equals, value = rest.partition("=")
    section, name = SECTIONS.get(section, section), KEYS.get(section, {}).get(name, name)
    return f"{section}.{name}{equals}{value}" if name else SECTIONS.get(key, key)


def text(value: str) -> str:
    """A text with the settings in it renamed: a value, a command."""
    dotted = rf"\b({'|'.join({*KEYS, *SECTIONS})})\.\w+(=\S+)?"
    return VALUES.get(value) or re.sub(dotted, lambda found: setting(found[0]), value)


def migrated(content: Any, in_scores: bool = False) -> Any:
    """The same content under the new names."""
    if isinstance(content, list):
        return [migrated(each, in_scores) for each in content]
    if isinstance(content, str):
        return text(content)
    if not isinstance(content, dict):
        return content
    if {"network", "optimizer"} <= content.keys():
        return recipe(content)
    names = RECORD | (SCORES if in_scores else {})
    if in_scores and content.keys() == {"true", "taken_for", "count"}:
        names = {"taken_for": "predicted"}
    if in_scores and "recall" in content:
        names = {"label": "name"}
    renamed = {}
    for key, value in content.items():
        if key == "validation_accuracy" and "validation_images" in content:
            new = "accuracy"
        elif key == "validation_loss" and "validation_images" in content:
            new = "loss"
        else:
            new = names.get(key) or (setting(key) if "." in key else key)
        renamed[new] = Path(value).name if new in ("data.source", "source") else migrated(value, in_scores)
    return renamed


def recipe(content: dict[str, Any]) -> dict[str, Any]:
    """A recipe of sections."""
    made = {}
    for key, value in content.items():
        if isinstance(value, dict):
            names = KEYS.get(key, {})
            value = {names.get(name, name): migrated(each) for name, each in value.items()}
        made[SECTIONS.get(key, {"about": "description"}.get(key, key))] = value
    if "data" in made and "source" in made["data"]:
        made["data"]["source"] = Path(made["data"]["source"]).name
    return made


def numbers(content: Any) -> list[float]:
    """All numbers in their order."""
    if isinstance(content, dict):
        content = list(content.values())
    if isinstance(content, list):
        return [number for each in content for number in numbers(each)]
    return [content] if isinstance(content, int | float) else []


def model(path: Path) -> None:
    """A bundled model: its metadata."""
    loaded = onnx.load_model(path)
    facts = {each.key: each.value for each in loaded.metadata_props}
    names = {
        "labels": "class_names",
        "size": "image_size",
        "label_groups": "label_groups",
        "second_look": "tta_threshold",
    }
    facts = {names.get(key, key): value for key, value in facts.items()} | {"format": "modiste-2"}
    if "recipe" in facts:
        facts["recipe"] = json.dumps(recipe(json.loads(facts["recipe"])), indent=2) + "\n"
    onnx.helper.set_model_props(loaded, facts)
    path.write_bytes(loaded.SerializeToString())
    print(path.name, hashlib.sha256(path.read_bytes()).hexdigest())


def main() -> None:
    """Migrate everything in place."""
    for path in sorted((ROOT / "results").rglob("*.json")):
        old = json.loads(path.read_text(encoding="utf-8"))
        new = migrated(old, in_scores=path.name == "scores.json")
        assert numbers(old) == numbers(new), path
        path.write_text(json.dumps(new, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    for path in sorted((ROOT / "results").rglob("metrics.csv")):
        head, _, rows = path.read_text(encoding="utf-8").partition("\n")
        head = head.replace("validation/", "val_").replace("train/", "train_")
        path.write_text(f"{head}\n{rows}", encoding="utf-8")
    for path in sorted((ROOT / "src/modiste/assets/models").glob("*.onnx")):
        model(path)


if __name__ == "__main__":
    main()
