"""Run the replay that somebody has started on the page: `python -m monitor.replaying`, which the monitor calls itself.

A process of its own: the version may be anybody's, and its memory is free again at the end. If it is killed, the
replay stays open, and the next call begins it again.
"""

import resource
import sys
from contextlib import closing

from common.registry.client import RegistryUnavailableError
from common.settings import Settings, SettingsError, load_settings
from common.store import Store, StoreError
from common.store.trust.replays import ReplayRequest, Replays
from trust.replay.figures import summary_of
from trust.replay.replay import ChangedAnswer, Replay, ReplayError
from trust.replay.summary import PAGE_CHANGED, PAGE_ROWS, PageReplay
from trust.replay.version import load_version


def main() -> None:
    """Run the open replay, if there is one."""
    try:
        settings = load_settings()
        _limit_memory(settings.model_memory_mb * 2**20)
        with closing(Store(settings.database_url)) as store:
            if asked := store.trust.replays.open():
                run(settings, store, asked)
    except (SettingsError, StoreError) as error:
        sys.exit(f"replaying: {error}")


def run(settings: Settings, store: Store, asked: ReplayRequest) -> None:
    """Run a replay from its first row, and write its result or the reason of its failure into the store.

    Raises:
        StoreError: the store does not answer; the replay stays open.
    """
    replays = store.trust.replays
    replays.start(asked.id)
    try:
        found = _result(settings, store, asked)
    except (ReplayError, RegistryUnavailableError) as error:
        replays.fail(asked.id, str(error))
    except MemoryError:
        replays.fail(asked.id, "the version needs more memory than MODEL_MEMORY_MB")
    else:
        replays.finish(asked.id, found.model_dump(mode="json"), found.figures.rows + found.figures.skipped)


def _result(settings: Settings, store: Store, asked: ReplayRequest) -> PageReplay:
    names = [name for problem, name in store.history.models() if problem == asked.problem]
    if not names:
        raise ReplayError(f"the log has no row of {asked.problem}")
    replay = Replay(load_version(settings, asked.problem, names[-1], asked.version))
    changed = _run(replay, store.trust.replays, asked, trusted_only=settings.has_keys)
    kept = [(each.logged.id, each.class_name, each.confidence) for each in changed]
    return PageReplay(figures=summary_of(replay), columns=list(replay.version.columns), changed=kept)


def _run(replay: Replay, replays: Replays, asked: ReplayRequest, *, trusted_only: bool) -> list[ChangedAnswer]:
    kept: list[ChangedAnswer] = []
    done = 0
    for rows, changed in replay.run(
        replays.chunks(asked.span, PAGE_ROWS, newest_first=True, trusted_only=trusted_only)
    ):
        kept += changed[: PAGE_CHANGED - len(kept)]
        done += rows
        replays.progress(asked.id, done)
    return kept


def _limit_memory(limit: int) -> None:
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    try:
        resource.setrlimit(resource.RLIMIT_AS, (limit if most == resource.RLIM_INFINITY else min(limit, most), most))
    except (OSError, ValueError):  # some systems have no such limit
        return


if __name__ == "__main__":
    main()
