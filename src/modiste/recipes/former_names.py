"""Settings and values that were renamed: a recipe that still uses a former one gets an error with the new one."""

SECTIONS = {"network": "model", "stopping": "early_stopping", "about": "description"}

SETTINGS = {
    "data.size": "image_size", "data.validation": "val_fraction", "data.limit": "max_train_images",
    "data.catalogue": "synthetic_per_class", "model.initialisation": "init", "model.drop_path": "drop_path_rate",
    "model.stem": "stem_width", "model.growth": "width_multiplier", "model.blocks": "blocks_per_stage",
    "model.mirrored": "flip_tta", "model.softened": "eval_blur", "model.frozen": "freeze_stages",
    "augmentation.flip": "horizontal_flip", "augmentation.crop": "random_crop_padding",
    "augmentation.coarse": "random_downscale", "augmentation.zoom": "random_resized_crop_scale",
    "augmentation.turn": "rotation_degrees", "augmentation.size": "train_size", "augmentation.colour": "color_jitter",
    "augmentation.hue": "hue_jitter", "augmentation.erasing": "random_erasing_prob",
    "augmentation.erasing_scale": "random_erasing_scale", "augmentation.erasing_ratio": "random_erasing_ratio",
    "augmentation.mixing": "mixup_prob", "optimizer.lr_head": "head_lr_mult", "optimizer.lr_rest": "norm_bias_lr_mult",
    "optimizer.batch": "batch_size", "optimizer.smoothing": "label_smoothing", "optimizer.average": "ema_decay",
    "distillation.share": "weight", "schedule.warmup": "warmup_fraction", "schedule.drop": "skip_easy_fraction",
}  # fmt: skip
"""The former name of a setting in its section's present name, and the present name of the setting."""

VALUES = {
    "schedule.name=plateau": "reduce_on_plateau", "schedule.name=triangle": "one_cycle",
    "early_stopping.monitor=validation/loss": "val_loss", "early_stopping.monitor=validation/accuracy": "val_accuracy",
}  # fmt: skip


def rename_key(key: str) -> str:
    """Return the present name of a dotted key, or of a section alone; the key itself if it was not renamed."""
    section, _, name = key.partition(".")
    section = SECTIONS.get(section, section)
    return f"{section}.{SETTINGS.get(f'{section}.{name}', name)}" if name else section
