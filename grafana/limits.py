"""What the panels draw as limits: the numbers of the alerts in prometheus/alerts.yml."""

ERRORS = 0.05  # HighErrorRatio: share of requests
LATENCY = 0.25  # HighLatency: seconds, at the 99th percentile
LOG_LAG = 10.0  # PredictionLogLagging: seconds
OUTLIERS = 0.2  # ManyOutliers: share of predictions
FEATURE_MEAN = 1.0  # FeatureMeanOff: times as far from the training mean as may be
DRIFT = 0.2  # Drift: population stability index
ACCURACY = 0.8  # AccuracyBelowFloor: share of the labels
OUTBOX_AGE = 300.0  # OutboxNotEmptying: seconds
FINETUNE_AGE = 600.0  # FinetuneFailing: seconds
CORRECTIONS = 5  # FinetuneFailing: so many corrections start a fine-tuning
WINDOW_ROWS = 500  # Drift: with fewer predictions there is nothing to say
