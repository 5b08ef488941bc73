"""The place where rooms add models that skl2onnx cannot convert by itself.

Each line that ends in `# room: …` belongs to the room of that name, and can be deleted with its file.
"""

from typing import Any

from sklearn.pipeline import Pipeline


def convertible(model: Any) -> Any:
    """Return the model, or an equal one, that skl2onnx can convert, and register the converters that it needs."""
    from common.bundle import column_steps  # room: column_steps

    column_steps.register_converters()  # room: column_steps
    if isinstance(model, Pipeline):
        return Pipeline([*model.steps[:-1], (model.steps[-1][0], convertible(model[-1]))])
    if type(model).__module__.startswith("lightgbm"):  # room: lightgbm_trees
        from common.bundle import lightgbm_trees  # room: lightgbm_trees

        return lightgbm_trees.convertible(model)  # room: lightgbm_trees
    return model
