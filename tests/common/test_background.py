"""Loops in the background."""

import asyncio

from common.background import GuardedLoop


class Work(GuardedLoop):
    """Waits in its first look until it is cancelled."""

    def __init__(self) -> None:
        super().__init__("work", "the work waits", 0.0)
        self.begun = asyncio.Event()
        self.ended = False

    async def _look(self) -> None:
        self.begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            self.ended = True


def test_a_loop_runs_until_stop_which_waits_for_its_cleanup() -> None:
    async def use() -> None:
        work = Work()
        await work.start()
        await work.begun.wait()
        assert not work.ended
        await work.stop()
        assert work.ended

    asyncio.run(use())


def test_a_loop_that_was_never_started_can_be_stopped() -> None:
    work = Work()
    asyncio.run(work.stop())
    assert not work.begun.is_set()
