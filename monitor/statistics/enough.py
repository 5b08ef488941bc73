"""The least number of rows for each statistic, the same on the page, in the metrics, the rules and the alerts."""

# With fewer rows the statistics of drift cross their limits by chance: at 60 rows PSI reaches 0.22 without any drift.
DRIFT_ROWS = 500
# For a mean and for a share; for the mean of a feature, rows that are no outliers. Of 30 features, some of them skewed,
# one mean is out of bounds by chance in one window in a thousand with 50 rows, and in two with 30 rows.
MEAN_ROWS = SHARE_ROWS = 50
# Predictions with ground truth: for an accuracy, and, of one class, for its recall. The interval of a recall of 20 rows
# that are all wrong ends at 44 %.
LABELS, CLASS_LABELS = 50, 20
# Predictions with ground truth for a step of the timeline's accuracy. Of 20 right answers the interval begins at 84 %.
STRIP_LABELS = 20
