"""Work that goes on beside everything else."""

import asyncio

from common.background import BackgroundTask


def test_it_runs_until_it_is_stopped_and_its_last_act_is_waited_for() -> None:
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


def test_it_may_be_stopped_without_having_been_started() -> None:
    async def work() -> None:
        raise AssertionError("nobody has started this")

    asyncio.run(BackgroundTask("work", work).stop())
