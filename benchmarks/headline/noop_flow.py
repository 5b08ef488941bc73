"""A Prefect flow that does nothing, served as the fine-tuning flow is: what a flow run costs by itself."""

from prefect import flow


@flow
def noop() -> None:
    """Do nothing."""


if __name__ == "__main__":
    noop.serve(name="noop", limit=1, print_starting_message=False)
