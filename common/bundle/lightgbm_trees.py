"""LightGBM's trees in ONNX: the converter, and thresholds that float32 can hold.

The module needs LightGBM, so only code that has such a model imports it.
"""

import copy
import re

import numpy as np
from lightgbm import Booster, LGBMClassifier
from onnxmltools.convert.lightgbm.operator_converters.LightGbm import convert_lightgbm
from skl2onnx import update_registered_converter
from skl2onnx.common.shape_calculator import calculate_linear_classifier_output_shapes


def convertible(trees: LGBMClassifier) -> LGBMClassifier:
    """Register the converter of the trees with skl2onnx; return the trees in single precision."""
    update_registered_converter(
        LGBMClassifier,
        "LabLightGbm",
        calculate_linear_classifier_output_shapes,
        convert_lightgbm,
        options={"nocl": [True, False], "zipmap": [True, False, "columns"], "output_class_labels": [False, True]},
    )
    return in_single_precision(trees)


def in_single_precision(trees: LGBMClassifier) -> LGBMClassifier:
    """Return a copy with float32 thresholds that splits float32 numbers exactly as the given trees do.

    A tree compares a number with its threshold by `<=`. Each new threshold is the largest float32 that is not above the
    old one. ONNX would take the nearest float32, which may be above, and which may be a value in the data.
    """
    text = re.sub(r"^threshold=.*$", _round_down, trees.booster_.model_to_string(), flags=re.MULTILINE)
    # The sizes give the length of each tree in bytes, which has changed; without sizes LightGBM finds the trees itself.
    text = re.sub(r"^tree_sizes=.*\n", "", text, flags=re.MULTILINE)
    rounded = copy.copy(trees)
    rounded._Booster = Booster(model_str=text)  # noqa: SLF001  # LightGBM has no public method for this
    return rounded


def _round_down(line: re.Match[str]) -> str:
    return "threshold=" + " ".join(_below(float(value)) for value in line[0].removeprefix("threshold=").split())


def _below(value: float) -> str:
    nearest = np.float32(value)
    # Python floats are compared, because numpy would compare the two as float32.
    return repr(float(nearest if float(nearest) <= value else np.nextafter(nearest, np.float32(-np.inf))))
