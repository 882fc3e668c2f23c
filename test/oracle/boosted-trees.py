"""Fits scikit-learn's HistGradientBoostingClassifier to the matrices of a folder, for Debian's python3-sklearn 1.2.1.

Arguments: folder, fits. The folder holds what test/support/boost-matrices.ts writes: matrices.json with the layout and
the rows of each part, and for each part PART.f32 (numbers, feature by feature), PART.u16 (codes) and PART.u8 (labels).
Prints JSON: the log-odds of the part `test`, and CPU and wall milliseconds of each fit.
"""
import json
import sys
import time

import numpy as np
import sklearn
from sklearn.ensemble import HistGradientBoostingClassifier

folder, fits = sys.argv[1], int(sys.argv[2])
with open(f"{folder}/matrices.json") as file:
    about = json.load(file)
numbers, counts = about["layout"]["numericCount"], about["layout"]["categoryCounts"]


def read(part):
    rows = about["rows"][part]
    columns = [np.fromfile(f"{folder}/{part}.f32", "<f4").reshape(numbers, rows).T.astype(np.float64)]
    codes = np.fromfile(f"{folder}/{part}.u16", "<u2").reshape(len(counts), rows).T
    return np.hstack([*columns, codes.astype(np.float64)]), np.fromfile(f"{folder}/{part}.u8", "u1")


features, labels = read("train")
cpu, wall = [], []
for _ in range(fits):
    starts = time.process_time(), time.perf_counter()
    fitted = HistGradientBoostingClassifier(
        early_stopping=False, categorical_features=[False] * numbers + [True] * len(counts), random_state=0,
    ).fit(features, labels)
    cpu.append((time.process_time() - starts[0]) * 1000)
    wall.append((time.perf_counter() - starts[1]) * 1000)
json.dump({
    "version": sklearn.__version__, "cpuMilliseconds": cpu, "wallMilliseconds": wall,
    "logOdds": fitted.decision_function(read("test")[0]).tolist(),
}, sys.stdout)
