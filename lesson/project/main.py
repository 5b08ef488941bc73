"""Task 2: try a grid of models, log each to MLflow, and register the best one as `IrisModel`."""

import sys

# 1. Tell MLflow its address: the variable MLFLOW_URL, or http://127.0.0.1:5000.
# 2. Read data/train.csv, and set a part of its rows apart: the validation rows.
# 3. For each candidate of the grid: start a run, fit the model on the other rows, log its parameters and its result on
#    the validation rows.
# 4. Take the best candidate, and measure it on data/test.csv.
# 5. Convert it to ONNX, with one input: float32, four columns, any number of rows.
# 6. Log the ONNX model to the run of that candidate, and register it.

if __name__ == "__main__":
    sys.exit("main.py is not written yet: see task 2 in tasks.md")
