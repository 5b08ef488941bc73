"""A Prefect flow that does nothing, served like the fine-tuning flow: the unit of the loop's duration."""

from prefect import flow


@flow
def noop() -> None:
    """Do nothing."""


if __name__ == "__main__":
    noop.serve(name="noop", limit=1, print_starting_message=False)
