"""Which rows of train.csv are fitted on, and which are kept to validate on: training and fine-tuning agree on it."""

from common.problem import Table

VALIDATION_SHARE = 0.25
SEED = 42


def split(table: Table) -> tuple[Table, Table]:
    """Return rows to fit and rows to validate on: 75 to 25, the same at every run, stratified.

    Raises:
        ValueError: a class has fewer than two rows, so that it cannot be in both.
    """
    from sklearn.model_selection import train_test_split

    X_fit, X_val, y_fit, y_val = train_test_split(
        table.X, table.y, test_size=VALIDATION_SHARE, random_state=SEED, stratify=table.y
    )
    return Table(X_fit, y_fit), Table(X_val, y_val)
