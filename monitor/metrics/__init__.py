"""The monitor's metrics for Prometheus, read from the store at each scrape.

Imports `statistics` and `jobs`. Begin with `store_collector.py`.
"""
