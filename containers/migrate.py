"""Make the store's tables, or bring them up to date, and end: the only program of the containers that may do so."""  # noqa: INP001  # a program

import sys

from common.settings import SettingsError, load_settings
from common.store import Store, StoreError

if __name__ == "__main__":
    try:
        Store(load_settings().database_url).close()
    except (SettingsError, StoreError) as error:
        sys.exit(f"migrate: {error}")
    print("the store's tables are up to date")
