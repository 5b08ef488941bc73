"""The limits that the panels draw: the numbers of the alerts in prometheus/alerts.yml."""

ERRORS = 0.05  # HighErrorRatio: share of requests
LATENCY_MS = 250  # HighLatency: milliseconds, at the 99th percentile
LOG_LAG = 10.0  # PredictionLogLagging: seconds
OUTLIERS = 0.2  # ManyOutliers: share of predictions
FEATURE_MEAN = 1.0  # FeatureMeanOff: distance from the training mean, in tolerances
DRIFT = 0.2  # Drift: population stability index
ACCURACY = 0.8  # AccuracyBelowFloor: share of right answers among the labels
OUTBOX_AGE = 300.0  # OutboxNotEmptying: seconds
FINETUNE_AGE = 600.0  # FinetuneFailing: seconds
CORRECTIONS = 5  # FinetuneFailing: the number of corrections that start a fine-tuning
REVIEW_AGE = 86400.0  # ReviewsWaiting: seconds
QUARANTINED = 0.5  # ManyQuarantined: share of the corrections of an hour
HOUR_CORRECTIONS = 20  # ManyQuarantined: the smallest number of corrections in that hour
WINDOW_ROWS = 500  # Drift: the smallest number of predictions with a verdict
