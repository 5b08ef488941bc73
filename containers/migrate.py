"""Make the store's tables or bring them up to date, give the services their rights, and end. No other program may."""  # noqa: INP001  # a program

import sys

from common.settings import SettingsError, load_settings
from common.store import Store, StoreError
from common.store.grants import give_rights

if __name__ == "__main__":
    try:
        url = load_settings().database_url
        store = Store(url)
        # Some rooms make their tables when they first need them, which the services may not do here.
        store.audit.newest()
        store.retention.missing.prepare()
        store.close()
        for role in give_rights(url):
            print(f"migrate: the server has no role {role}, which gets no rights", file=sys.stderr)
    except (SettingsError, StoreError) as error:
        sys.exit(f"migrate: {error}")
    print("the store's tables are up to date")
