"""Sign a version that is in the registry already, with its scikit-learn twin: `python -m scripts.sign_version 3`.

Do so with versions that you trust only: the command looks at the form of their files, not at what they answer.
"""

import argparse
import asyncio
import sys

import skops.io

from common.bundle.model import ModelError, OnnxModel
from common.problem import Problem, ProblemError, get_problem
from common.registry.client import Registry, RegistryError, RegistryUnavailableError, Version
from common.settings import Settings, SettingsError, load_settings
from common.signing.check import BUNDLE, check
from common.signing.keys import made_key, require_key
from common.signing.signature import TAG, hash_of, sign
from common.signing.trusted_types import trusted

TWIN = "model.skops"


async def sign_version(problem: Problem, settings: Settings, number: int) -> str:
    """Sign an ONNX version and its twin, if it has one; return what was done, in one sentence.

    Raises:
        LookupError: there is no such version.
        ModelError: a file cannot be loaded, or must not be.
        RegistryError: MLflow answers with an error.
        SettingsError: there is no key.
    """
    require_key(settings)
    key, twin, twin_hash = made_key(settings), None, ""
    unsigned = settings.model_copy(update={"allow_unsigned": True, "signing_key": None})
    async with Registry(settings.mlflow_uri, settings.model_file_mb, settings.model_check_seconds) as registry:
        onnx = await _version(registry, problem.onnx_name, number)
        content = await registry.download(onnx)
        check(unsigned, Version(onnx.name, onnx.number, onnx.source, {}), BUNDLE, content)
        OnnxModel(content, problem.target.classes).check_golden()
        if "sklearn_version" in onnx.tags:
            twin = await _version(registry, problem.sklearn_name, int(onnx.tags["sklearn_version"]))
            skops_file = await registry.download(twin, TWIN)
            trusted(problem.name, skops.io.get_untrusted_types(data=skops_file))
            twin_hash = hash_of(skops_file)
            await registry.set_tag(twin, TAG, sign(key, twin, twin_hash).tag())
        await registry.set_tag(onnx, TAG, sign(key, onnx, hash_of(content), twin_hash).tag())
    both = f" and {twin.name} version {twin.number}" if twin else ""
    return f"signed {onnx.name} version {onnx.number}{both}"


async def _version(registry: Registry, name: str, number: int) -> Version:
    found = await registry.version(name, number)
    if found is None:
        raise LookupError(f"{name} has no version {number}")
    return found


def main() -> None:
    """Sign the version that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m scripts.sign_version", description=__doc__)
    parser.add_argument("number", type=int, help="of the ONNX version")
    parser.add_argument("--problem", help="a file of problems/ (default: the setting PROBLEM)")
    arguments = parser.parse_args()
    try:
        settings = load_settings(problem=arguments.problem)
        print(asyncio.run(sign_version(get_problem(settings.problem), settings, arguments.number)))
    except (
        LookupError, ModelError, ProblemError, RegistryError, RegistryUnavailableError, SettingsError,
    ) as error:  # fmt: skip
        sys.exit(f"sign_version: {error.args[0]}")


if __name__ == "__main__":
    main()
