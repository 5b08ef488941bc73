"""Write the JSON files that Grafana reads: `python -m grafana.build`."""

import json
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from grafana import api, loop, model_quality, training

DASHBOARDS = Path(__file__).parent / "dashboards"


def build() -> dict[str, str]:
    """Return the content of each JSON file by the file's name."""
    boards = {"api": api, "model-quality": model_quality, "training": training, "loop": loop}
    return {f"{name}.json": _json(board.dashboard()) for name, board in boards.items()}


def main() -> None:
    """Write all JSON files."""
    for name, content in build().items():
        (DASHBOARDS / name).write_text(content, encoding="utf-8")
        print(f"grafana/dashboards/{name}")


def _json(board: object) -> str:
    return json.dumps(board, cls=JSONEncoder, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    main()
