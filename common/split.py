"""The split of train.csv into rows to fit and rows to validate on, the same in training and in fine-tuning."""

from common.problem import Table

VALIDATION_SHARE = 0.25
SEED = 42


def split(table: Table) -> tuple[Table, Table]:
    """Return rows to fit and rows to validate on: 75 to 25 %, stratified by class, the same at every run.

    Raises:
        ValueError: a class has fewer than two rows, so it cannot be in both parts.
    """
    from sklearn.model_selection import train_test_split

    X_fit, X_val, y_fit, y_val = train_test_split(
        table.X, table.y, test_size=VALIDATION_SHARE, random_state=SEED, stratify=table.y
    )
    return Table(X_fit, y_fit), Table(X_val, y_val)
