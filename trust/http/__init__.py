"""The routes of vetting and tracing, which extend the api. It imports `api.http` and `api.routes.dependencies`."""
