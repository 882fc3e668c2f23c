"""
What scikit-learn and numpy make of what natlens exports: an IsolationForest fitted on the training matrix with the same
random_state, its scores of the scored matrix, and percentiles 100, 99, … 70 of validation scores. Prints JSON.

    classifier.py TRAINING.npy SCORED.npy SEED VALIDATION.json
"""
import json
import sys
import time

import numpy as np
from sklearn.ensemble import IsolationForest

training, scored, seed = np.load(sys.argv[1]), np.load(sys.argv[2]), int(sys.argv[3])
with open(sys.argv[4]) as file:
    validation = np.array(json.load(file))
started = time.perf_counter()
forest = IsolationForest(random_state=seed).fit(training)
seconds = time.perf_counter() - started
print(json.dumps({
    "rows": list(training.shape),
    "scores": (-forest.score_samples(scored)).tolist(),
    "threshold": -forest.offset_,
    "fitSeconds": seconds,
    "percentiles": [float(np.percentile(validation, 100 - p)) for p in range(31)],
}))
