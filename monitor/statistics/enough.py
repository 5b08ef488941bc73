"""How many rows a statistic takes. Of fewer there is not enough data: for page, metrics, rules and alerts alike."""

# With fewer rows the statistics of drift scatter about their limits without any drift: at 60 rows PSI reaches 0.22.
DRIFT_ROWS = 500
# For a mean and a share; of a feature's mean, rows that are no outliers. With 30 features, some of them skewed, one
# window of 50 rows in a thousand has a mean that is off without any reason; with 30 rows it is two.
MEAN_ROWS = SHARE_ROWS = 50
# Labels, which are answers whose truth is known: for an accuracy, and for the recall of a class those of that class.
# The interval of a recall of 20 labels, all of them wrong, ends at 44 %.
LABELS, CLASS_LABELS = 50, 20
