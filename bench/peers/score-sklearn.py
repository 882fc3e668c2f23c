"""Fits and scores the one-hot rows of a folder with scikit-learn. Arguments: folder, columns, seed, seconds. Prints JSON."""
import json
import os
import sys
import time

os.environ.update(OMP_NUM_THREADS='1', OPENBLAS_NUM_THREADS='1')
import numpy as np  # noqa: E402
import sklearn  # noqa: E402
from sklearn.ensemble import IsolationForest  # noqa: E402

folder, columns, seed, seconds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
train = np.fromfile(f'{folder}/train.f32', dtype='<f4').reshape(-1, columns)
rows = np.fromfile(f'{folder}/rows.f32', dtype='<f4').reshape(-1, columns)


def repeat(work):
    work()
    start = time.process_time()
    turns = 0
    while time.process_time() < start + seconds:
        work()
        turns += 1
    return (time.process_time() - start) / turns


def make():
    return IsolationForest(random_state=seed, n_jobs=1).fit(train)


forest = make()
print(json.dumps({
    'version': sklearn.__version__,
    'fitMilliseconds': repeat(make) * 1000,
    'rowsPerSecond': len(rows) / repeat(lambda: forest.score_samples(rows)),
    'mean': float(-forest.score_samples(rows).mean()),
}))
