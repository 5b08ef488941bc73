"""The former place of two steps: models that were registered before the move name them by this module."""

from common.bundle.column_steps import Grouped, Plausible

__all__ = ["Grouped", "Plausible"]
