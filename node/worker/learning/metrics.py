"""What a model's labels are worth: the task's `metric`."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Labels = npt.NDArray[np.uint8]


def measured(metric: str, labels: Labels, predicted: Labels) -> float:
    """Return the metric, 0 to 1, of labels uint8[N] predicted for true ones, N at least 1.

    accuracy is the share of right labels; balanced_accuracy the mean over the classes that occur of the share of
    theirs that are right (Brodersen et al., 2010, doi:10.1109/ICPR.2010.764).
    """
    right = predicted == labels
    if metric == "accuracy":
        return float(right.mean())
    all_of, right_of = np.bincount(labels), np.bincount(labels, weights=right)
    occur = all_of > 0
    return float((right_of[occur] / all_of[occur]).mean())
