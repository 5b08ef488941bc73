"""Where the tabs of the page have what they show from."""

from dataclasses import dataclass

from common.store import Store
from monitor.follow_registry import References


@dataclass(frozen=True)
class Source:
    """The store, the references of the served versions, and the addresses of MLflow's and Prefect's pages."""

    store: Store
    references: References
    mlflow_url: str
    prefect_url: str
