"""Moving the aliases `champion` and `challenger` in the registry: challenge, promote, roll back."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from pydantic import BaseModel

from api.http.errors import ServiceError
from common.problem import Problem
from common.registry.client import ANCHOR, CHALLENGER, CHAMPION, Registry, Version
from common.store import Store
from common.store.champions import ChampionPeriod, How
from common.store.threads import StoreThreads


class MovedAliases(BaseModel):
    """The aliases as they are now in the registry. The service follows within seconds."""

    model_name: str
    champion: int | None
    challenger: int | None


class NoVersionError(ServiceError):
    """The registry has no such version."""

    status = 404


class RefusedError(ServiceError):
    """An alias cannot be moved as the client wants; the message gives the reason."""

    status = 409


# Says why no alias may point at a version; None if it has no objection.
Objection = Callable[[Store, Version], str | None]


@dataclass(frozen=True)
class Aliases:
    """The aliases of a problem's models in the registry.

    Moving an alias moves it on both models of the problem, ONNX and scikit-learn: fine-tuning continues from the
    scikit-learn twin of the champion.

    Attributes:
        objections: are asked before a client's request moves an alias to a version.

    Raises:
        RefusedError: from each method, when the scikit-learn twin of the version is not in the registry any more.
    """

    problem: Problem
    registry: Registry
    store: StoreThreads
    objections: list[Objection] = field(default_factory=list)

    async def challenge(self, number: int) -> MovedAliases:
        """Make a version the challenger.

        Raises:
            NoVersionError: the registry has no such version.
            RefusedError: it is the champion, or there is an objection to the version.
        """
        version = await self._version(number)
        champion = await self.registry.serving_version(self.problem.onnx_name)
        if champion and champion.number == number:
            raise RefusedError(f"version {number} is the champion, and cannot challenge itself")
        await self._point(CHALLENGER, version)
        return await self._now()

    async def promote(self, number: int) -> MovedAliases:
        """Make a version the champion. If it was the challenger, there is no challenger afterwards.

        Raises:
            NoVersionError: the registry has no such version.
            RefusedError: there is an objection to it.
        """
        version = await self._version(number)
        champion = await self.registry.serving_version(self.problem.onnx_name)
        changes = champion is None or champion.number != number
        if champion and changes:
            # The follower records a champion up to a second late, and a rollback needs the record.
            await self._record(champion.number)
        # Set the alias even if this version serves already: without an alias the newest version serves, so the next
        # registration would replace it.
        await self._make_champion(version)
        # The gate judges against the anchor: a person, or the judge, vouches for it.
        await self._point(ANCHOR, version)
        if changes:
            await self._record(number, "promoted")
        return await self._now()

    async def roll_back(self, number: int) -> MovedAliases:
        """Make the version before the champion the champion again.

        Raises:
            RefusedError: `number` is not the champion (any more), no version in the registry was champion before, or
                there is an objection to that version.
        """
        champion = await self.registry.serving_version(self.problem.onnx_name)
        if champion is None or champion.number != number:
            now = f"version {champion.number} is" if champion else "there is none"
            raise RefusedError(f"version {number} is not the champion: {now}")
        await self._record(number)  # as in `promote`
        history = await self.store.read(lambda store: store.champions.history(self.problem.onnx_name))
        previous = previous_champion(history)
        if previous is None:
            raise RefusedError(f"there was no champion before version {number}")
        version = await self.registry.version(self.problem.onnx_name, previous)
        if version is None:
            raise RefusedError(f"version {previous}, the champion before, is not in the registry any more")
        await self._check(version)
        await self._make_champion(version)
        await self._point(ANCHOR, version)
        await self._record(previous, "rolled back")
        return await self._now()

    async def replace_champion(self, version: Version, shadow: Version | None, how: How, because: str) -> None:
        """Make a version the champion for a reason; `shadow` becomes the challenger, or there is none afterwards.

        After a kill, a second call completes the first one as long as the aliases name two versions, and so does a
        second call with the same arguments when `version` has both aliases.
        """
        champion = await self.registry.aliased(self.problem.onnx_name, CHAMPION)
        anchor = await self.registry.aliased(self.problem.onnx_name, ANCHOR)
        # Recorded first, so that the history has the reason even if this process ends before it has finished. The
        # follower may record the old champion once more meanwhile, so the record is repeated.
        await self._record(version.number, how, because)
        # Before the champion moves: afterwards, nobody sees which version is taken back.
        if how == "rolled back" and anchor and champion and anchor.number == champion.number:
            await self._point(ANCHOR, version)
        await self._point(CHAMPION, version)
        await self._record(version.number, how, because)
        if shadow:
            await self._point(CHALLENGER, shadow)
        else:
            await self.retire_challenger()

    async def retire_challenger(self) -> None:
        """Remove the alias of the challenger, if it is set; after a kill, a second call completes the first one."""
        challenger = await self.registry.aliased(self.problem.onnx_name, CHALLENGER)
        if challenger:
            if "sklearn_version" in challenger.tags:
                await self.registry.set_alias(self.problem.sklearn_name, CHALLENGER, None)
            await self.registry.set_alias(self.problem.onnx_name, CHALLENGER, None)

    def objection(self, store: Store, version: Version) -> str | None:
        """Return the first objection to a version; None if there is none."""
        return next(filter(None, (objection(store, version) for objection in self.objections)), None)

    async def objected(self, version: Version) -> str | None:
        """Return the first objection to a version, as `objection` does."""
        return await self.store.read(lambda store: self.objection(store, version))

    async def _version(self, number: int) -> Version:
        version = await self.registry.version(self.problem.onnx_name, number)
        if version is None:
            raise NoVersionError(f"there is no {self.problem.onnx_name} version {number}")
        await self._check(version)
        return version

    async def _check(self, version: Version) -> None:
        if reason := await self.objected(version):
            raise RefusedError(reason)

    async def _record(self, number: int, how: How = "registered", because: str | None = None) -> None:
        await self.store.write(lambda store: store.champions.note(self.problem.onnx_name, number, how, because))

    async def _make_champion(self, version: Version) -> None:
        await self._point(CHAMPION, version)
        challenger = await self.registry.aliased(self.problem.onnx_name, CHALLENGER)
        if challenger and challenger.number == version.number:
            await self.retire_challenger()

    async def _point(self, alias: str, version: Version) -> None:
        # The scikit-learn twin first: the services look at the ONNX version, and act when it moves.
        if (twin := version.tags.get("sklearn_version")) is not None:
            if not twin.isdecimal() or await self.registry.version(self.problem.sklearn_name, int(twin)) is None:
                raise RefusedError(
                    f"{self.problem.sklearn_name} version {twin}, the scikit-learn twin of version {version.number}, "
                    "is not in MLflow any more, so that fine-tuning could not continue from it: take another version, "
                    "or train anew"
                )
            await self.registry.set_alias(self.problem.sklearn_name, alias, int(twin))
        await self.registry.set_alias(self.problem.onnx_name, alias, version.number)

    async def _now(self) -> MovedAliases:
        champion = await self.registry.aliased(self.problem.onnx_name, CHAMPION)
        challenger = await self.registry.aliased(self.problem.onnx_name, CHALLENGER)
        return MovedAliases(
            model_name=self.problem.onnx_name,
            champion=champion.number if champion else None,
            challenger=challenger.number if challenger else None,
        )


def previous_champion(history: Sequence[ChampionPeriod]) -> int | None:
    """Return the version that a rollback restores, the champion before the present one; None if there was none.

    A rollback also takes the period away that it ends. The next rollback therefore goes further into the past.
    """
    versions: list[int] = []
    for period in history:
        if period.how == "rolled back" and period.model_version in versions:
            while versions[-1] != period.model_version:
                versions.pop()
        else:
            versions.append(period.model_version)
    return versions[-2] if len(versions) > 1 else None
