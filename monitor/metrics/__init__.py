"""The monitor's metrics for Prometheus, read from the store at each scrape.

The package imports `monitor.statistics` and `monitor.follow_registry`. Open `store_collector.py` first.
"""
