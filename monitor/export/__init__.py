"""The external log: predictions, day by day, in MLflow."""
