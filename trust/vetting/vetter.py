"""Vetting in the fine-tuning flow: it decides which new corrections are written to finetune.csv.

The verdicts, the states and the history change in one transaction. A run that ends before it has changed nothing; the
next run finds the same corrections without verdicts.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from common.problem import Problem, Table
from common.settings import Settings
from common.store import Store
from common.store.suggestions import Suggestion
from common.store.trust.vettings import Vetting
from trust.vetting.basis import Basis
from trust.vetting.quotas import Used, network_of, over_quota, quotas_of
from trust.vetting.rules import Finding, VettingLimits, keys_of, strange
from trust.vetting.verdicts import Claim, RuleVerdict, Standing, Verdicts, Voucher, decide

DAY = timedelta(hours=24)

Vet = Callable[[Sequence[Suggestion]], Sequence[Suggestion]]
WithKey = tuple[Suggestion, str]  # a correction, and the key of its row


def vetter(problem: Problem, settings: Settings, store: Store) -> Vet:
    """Return the function that picks the corrections that may be learnt, and puts the others into quarantine.

    It raises what `Basis` raises.
    """
    return list if settings.vetting == "off" else Vetter(problem, settings, store)


class Vetter:
    """Vets corrections. It reads nothing but old verdicts as long as no correction is new."""

    def __init__(self, problem: Problem, settings: Settings, store: Store) -> None:
        """Vet the corrections of `problem` that come to `store`."""
        self._problem = problem
        self._settings = settings
        self._store = store
        self._basis = Basis(problem, settings, store)

    def __call__(self, found: Sequence[Suggestion]) -> Sequence[Suggestion]:
        """Return those of `found` that may be learnt; the caller holds the lock of finetune.csv."""
        vettings = self._store.trust.vettings
        vetted = vettings.of([each.id for each in found])
        new = [each for each in found if each.id not in vetted]
        if not new:
            return found
        keys = keys_of(self._basis.rows([each.features for each in new]))
        older = self._older(set(keys))
        verdicts = self._decide(new, keys, older)
        decided = self._with_details(list(zip(new, keys, strict=True)), verdicts.new)
        contradicted = self._with_details(list(older.values()), verdicts.contradicted)
        vettings.record(decided, verdicts.released, contradicted)
        return [each for each in found if each.id in vetted or verdicts.new[each.id].outcome in {"passed", "exempt"}]

    def _decide(self, new: Sequence[Suggestion], keys: Sequence[str], older: Mapping[str, WithKey]) -> Verdicts:
        basis, settings = self._basis, self._settings
        rows = Table(basis.rows([each.features for each in new]), basis.labels([each.class_name for each in new]))
        vouchers = self._vouchers(new, keys)
        batch = [
            Claim(each.id, key, label, network_of(each.source), voucher=vouchers.get(each.id, ""))
            for each, key, label in zip(new, keys, rows.y.tolist(), strict=True)
        ]
        limits = VettingLimits(settings.vetting_neighbours, settings.vetting_probability)
        findings = strange(basis.grounds, rows, basis.ask(rows.X), limits)
        return decide(batch, self._claims(older), basis.grounds, findings, self._quota())

    def _older(self, keys: set[str]) -> Mapping[str, WithKey]:
        """Return earlier corrections of rows with these keys, each with its key, by their ids."""
        vettings, name = self._store.trust.vettings, self._problem.name
        found = {each.id: each for each in (*vettings.same_rows(name, sorted(keys)), *vettings.never_vetted(name))}
        known = [each for each in found.values() if self._basis.has_columns(each.features)]
        their_keys = keys_of(self._basis.rows([each.features for each in known]))
        return {each.id: (each, key) for each, key in zip(known, their_keys, strict=True) if key in keys}

    def _claims(self, older: Mapping[str, WithKey]) -> list[Claim]:
        verdicts = self._store.trust.vettings.of(list(older))
        labels = self._basis.labels([each.class_name for each, _ in older.values()]).tolist()
        return [
            _claim(each, key, label, verdicts.get(each.id))
            for (each, key), label in zip(older.values(), labels, strict=True)
        ]

    def _vouchers(self, new: Sequence[Suggestion], keys: Sequence[str]) -> Mapping[str, Voucher]:
        """Return who vouches for corrections, by their ids."""
        truths = self._store.trust.vettings.truths([each.prediction_id for each in new if each.prediction_id])
        known = {name: truth for name, truth in truths.items() if self._basis.has_columns(truth.features)}
        row_keys = dict(zip(known, keys_of(self._basis.rows([each.features for each in known.values()])), strict=True))
        vouchers: dict[str, Voucher] = {}
        for each, key in zip(new, keys, strict=True):
            truth = known.get(each.prediction_id or "")
            if (each.source or "").startswith("review key"):  # its own name may follow
                vouchers[each.id] = "reviewer"
            elif truth and truth.class_name == each.class_name and row_keys[truth.prediction_id] == key:
                if truth.trusted:
                    vouchers[each.id] = "truth"
                elif network_of(truth.source) != network_of(each.source):
                    vouchers[each.id] = "confirmed"
        return vouchers

    def _quota(self) -> Callable[[Claim], Finding | None]:
        quotas = quotas_of(self._settings, len(self._basis.train.y))
        if quotas is None:
            return lambda _: None
        vettings, name = self._store.trust.vettings, self._problem.name
        in_day = vettings.passed_since(name, datetime.now(UTC) - DAY)
        used = Used(Counter(vettings.unjudged(name)), Counter(in_day), vettings.unreviewed(name))

        def look(claim: Claim) -> Finding | None:
            finding = over_quota(quotas, used, claim.network)
            if finding is None:
                used.add(claim.network)
            return finding

        return look

    def _with_details(
        self, corrections: Sequence[WithKey], verdicts: Mapping[str, RuleVerdict]
    ) -> dict[str, tuple[Vetting, str]]:
        """Return the verdicts on corrections as the store keeps them, and their reasons, by the corrections' ids."""
        in_review = [each for each, _ in corrections if _waits(verdicts.get(each.id))]
        details = self._basis.details(in_review)
        return {
            each.id: (
                Vetting(
                    *(each.id, self._problem.name, verdict.outcome, verdict.rule, verdict.number),
                    details.get(each.id, {}), key, network_of(each.source),
                ),
                verdict.reason,
            )
            for each, key in corrections
            if (verdict := verdicts.get(each.id))
        }  # fmt: skip


def _waits(verdict: RuleVerdict | None) -> bool:
    return verdict is not None and verdict.outcome == "quarantined"


def _claim(correction: Suggestion, key: str, label: int, vetting: Vetting | None) -> Claim:
    """Return an earlier correction as the rules see it."""
    standing: Standing
    if correction.quarantined_because is None:
        standing = "waiting" if correction.trained_version is None else "learnt"
    else:
        standing = "in review" if vetting and vetting.outcome == "quarantined" else "taken back"
    voucher: Voucher = "confirmed" if vetting and vetting.outcome in {"exempt", "approved"} else ""
    return Claim(correction.id, key, label, network_of(correction.source), standing, voucher)
