"""When corrections become a model, which the api tells and the worker does."""

TRAIN_AT = 5
