"""LightGBM's trees in ONNX: what skl2onnx has to be told.

It needs LightGBM: import it where there is such a model.
"""

import copy
import re

import numpy as np
from lightgbm import Booster, LGBMClassifier
from onnxmltools.convert.lightgbm.operator_converters.LightGbm import convert_lightgbm
from skl2onnx import update_registered_converter
from skl2onnx.common.shape_calculator import calculate_linear_classifier_output_shapes


def register_converter() -> None:
    """Teach skl2onnx the trees."""
    update_registered_converter(
        LGBMClassifier,
        "LabLightGbm",
        calculate_linear_classifier_output_shapes,
        convert_lightgbm,
        options={"nocl": [True, False], "zipmap": [True, False, "columns"], "output_class_labels": [False, True]},
    )


def in_single_precision(trees: LGBMClassifier) -> LGBMClassifier:
    """Return a copy whose thresholds are float32, and part float32 numbers exactly as the given ones do.

    A number is compared by `<=`, so that the threshold is the largest float32 that is not above. ONNX would take
    the nearest, which may be above, and be a number that occurs.
    """
    text = re.sub(r"^threshold=.*$", _round_down, trees.booster_.model_to_string(), flags=re.MULTILINE)
    # They tell where trees begin, in bytes that are no longer right; without them the reader looks for itself.
    text = re.sub(r"^tree_sizes=.*\n", "", text, flags=re.MULTILINE)
    rounded = copy.copy(trees)
    rounded._Booster = Booster(model_str=text)  # noqa: SLF001  # there is no other way in
    return rounded


def _round_down(line: re.Match[str]) -> str:
    return "threshold=" + " ".join(_below(float(value)) for value in line[0].removeprefix("threshold=").split())


def _below(value: float) -> str:
    nearest = np.float32(value)
    # As Python floats: numpy would compare them as float32.
    return repr(float(nearest if float(nearest) <= value else np.nextafter(nearest, np.float32(-np.inf))))
