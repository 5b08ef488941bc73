"""Make the store's tables, or bring them up to date, and end: the only program of the containers that may do so."""  # noqa: INP001  # a program

import sys

from common.settings import SettingsError, load_settings
from common.store import Store, StoreError

if __name__ == "__main__":
    try:
        store = Store(load_settings().database_url)
        # Some rooms make their tables when they first need them, which the services may not do here.
        store.audit.newest()
        store.retention.missing.prepare()
        store.close()
    except (SettingsError, StoreError) as error:
        sys.exit(f"migrate: {error}")
    print("the store's tables are up to date")
