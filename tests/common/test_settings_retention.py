"""Days and sizes in settings: a wrong one is named when the lab starts."""

import pytest

from common.room_settings.retention import bytes_of, days_of
from common.settings import SettingsError, load_settings


@pytest.mark.parametrize(
    ("text", "days", "size"),
    [
        ("90d", 90, None),
        ("500MB", None, 5 * 10**8),
        ("20GB", None, 2 * 10**10),
        ("1TB", None, 10**12),
        ("", None, None),
    ],
)
def test_a_text_is_days_or_a_size(text: str, days: int | None, size: int | None) -> None:
    assert (days_of(text), bytes_of(text)) == (days, size)
    assert load_settings(retain_predictions=text).retain_predictions == text


@pytest.mark.parametrize("text", ["90", "0d", "-1d", "20 GB", "20gb", "1.5TB", "ever"])
def test_any_other_text_is_refused_with_examples(text: str) -> None:
    with pytest.raises(SettingsError, match=r"RETAIN_PREDICTIONS: .* like 500MB, 20GB or 1TB"):
        load_settings(retain_predictions=text)


def test_a_ground_truth_is_kept_for_days_and_not_for_fewer_than_its_prediction() -> None:
    assert load_settings(retain_predictions="90d", retain_ground_truths="90d").retain_ground_truths == "90d"
    with pytest.raises(SettingsError, match=r"RETAIN_GROUND_TRUTHS: .* is not a number of days"):
        load_settings(retain_ground_truths="20GB")
    with pytest.raises(SettingsError, match="RETAIN_GROUND_TRUTHS: must not be shorter than RETAIN_PREDICTIONS"):
        load_settings(retain_predictions="90d", retain_ground_truths="89d")


def test_a_disk_of_the_store_is_a_folder_or_a_size() -> None:
    assert load_settings(store_disk="/lab/.lab").store_disk == "/lab/.lab"
    assert load_settings(store_disk="100GB").store_disk == "100GB"
    with pytest.raises(SettingsError, match=r"STORE_DISK: .* neither a folder, like /lab/.lab, nor a size"):
        load_settings(store_disk="100Gi")
