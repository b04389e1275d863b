"""Fit the detector of images unlike those of training."""

import numpy as np
from numpy.typing import NDArray

from modiste.inference.outliers import COUNT, Images, OutlierDetector, image_statistics

REGULARIZATION = 1e-6
"""Added to the variances, as a statistic may be the same for all images of a class."""


def fit_outliers(
    images: Images, labels: NDArray[np.int64], validation: Images, max_false_alarms: float
) -> OutlierDetector:
    """Fit the distribution of each class, and the threshold that at most this share of validation images exceeds.

    Args:
        images: of training, uint8 [n, s, s].
        labels: their classes, int64 [n]; each class needs more images than there are statistics.
        validation: images that are not among them, uint8 [m, s, s].
        max_false_alarms: share of the validation images.
    """
    statistics = image_statistics(images)
    classes = [statistics[labels == label] for label in range(int(labels.max()) + 1)]
    means = np.stack([each.mean(0) for each in classes])
    covariances = np.stack([np.cov(each.T) for each in classes]) + REGULARIZATION * np.eye(COUNT)
    transforms = np.linalg.cholesky(np.linalg.inv(covariances))
    detector = OutlierDetector(means, transforms, np.inf, 1.0)
    distances = np.sort(detector.distances(validation))
    max_count = int(max_false_alarms * len(distances))
    threshold = float(distances[len(distances) - 1 - max_count])
    return OutlierDetector(means, transforms, threshold, float((distances <= threshold).mean()))
