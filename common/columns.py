"""The old import path of two pipeline steps: models registered before they moved name their classes by this module."""

from common.bundle.column_steps import Grouped, Plausible

__all__ = ["Grouped", "Plausible"]
