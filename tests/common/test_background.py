"""Coroutines in the background."""

import asyncio

from common.background import BackgroundTask


def test_a_task_runs_until_stop_which_waits_for_its_cleanup() -> None:
    ended = False

    async def use() -> None:
        begun = asyncio.Event()

        async def work() -> None:
            nonlocal ended
            begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(0)
                ended = True

        task = BackgroundTask("work", work)
        task.start()
        await begun.wait()
        assert not ended
        await task.stop()
        assert ended

    asyncio.run(use())


def test_a_task_that_was_never_started_can_be_stopped() -> None:
    async def work() -> None:
        raise AssertionError("this task was started")

    asyncio.run(BackgroundTask("work", work).stop())
