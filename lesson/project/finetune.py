"""Task 5, optional: a Prefect flow that learns from the corrections in data/finetune.csv."""

import sys

# 1. Write a flow. It takes the newest version of `IrisModel`, and the model behind it that can go on learning.
# 2. Continue its training with the corrections. Which other rows should it see, so that it does not forget them?
# 3. Compare the candidate with the newest version on data/test.csv.
# 4. Register the candidate, unless it is worse.
# 5. Serve the flow as a deployment, so that the api can start a run of it.

if __name__ == "__main__":
    sys.exit("finetune.py is not written yet: see task 5 in tasks.md")
