"""The words beside the fields of Prefect's form, in which a person starts a flow run. This file can be deleted."""

from collections.abc import Iterator

from common.problem import Feature, Problem


def description(problem: Problem) -> str:
    """Return a docstring for the flow, from whose part `Args` Prefect takes the words.

    They limit nothing: the problem's file may change while corrections with other classes are on their way.
    """
    fields = "\n".join(f"    {name}: {words}" for name, words in _words(problem))
    return f"Learn a correction of the problem {problem.name}.\n\nArgs:\n{fields}\n"


def _words(problem: Problem) -> Iterator[tuple[str, str]]:
    for slug, feature in zip(problem.slugs, problem.features, strict=True):
        yield slug, _of_feature(feature)
    yield "class_name", f"the right class: {', '.join(problem.target.classes)}"
    yield "suggestion_id", "leave it empty: the api sets it for the corrections that it was sent"


def _of_feature(feature: Feature) -> str:
    if feature.kind == "category":
        return f"{feature.description}; for example {feature.example}"
    unit = f" in {feature.unit}" if feature.unit else ""
    return f"{feature.description}{unit}, {feature.minimum:g} to {feature.maximum:g}; for example {feature.example:g}"
