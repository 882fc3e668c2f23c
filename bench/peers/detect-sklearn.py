"""Scores flows one by one with many isolation forests of scikit-learn, as a service that gets them one by one would.

Arguments: folder, seconds. The folder holds index.json ([{columns}, ...]) and for each forest N.train.f32 and
N.scored.f32: one-hot rows, row-major. Encoding was done beforehand and is not counted. Prints one JSON object.
"""
import json
import os
import sys
import time

os.environ.update(OMP_NUM_THREADS='1', OPENBLAS_NUM_THREADS='1')
import numpy as np  # noqa: E402
import sklearn  # noqa: E402
from sklearn.ensemble import IsolationForest  # noqa: E402

folder, seconds = sys.argv[1], float(sys.argv[2])
with open(f'{folder}/index.json', encoding='utf8') as file:
    index = json.load(file)


def resident():
    with open('/proc/self/status', encoding='ascii') as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith('VmRSS:'))


def read(name, columns):
    return np.fromfile(f'{folder}/{name}', dtype='<f4').reshape(-1, columns)


start = time.process_time()
forests = []
rows = []
for i, entry in enumerate(index):
    forests.append(IsolationForest(random_state=i, n_jobs=1).fit(read(f'{i}.train.f32', entry['columns'])))
    rows.append(read(f'{i}.scored.f32', entry['columns']))
fit_seconds = time.process_time() - start

flows = len(rows[0])
done = 0
latencies = []
total = 0.0
start_cpu, start_wall = time.process_time(), time.perf_counter()
while time.perf_counter() < start_wall + seconds:
    at = done % flows
    before = time.perf_counter()
    for forest, ours in zip(forests, rows):
        total += forest.score_samples(ours[at:at + 1])[0]
    latencies.append(time.perf_counter() - before)
    done += 1
cpu = time.process_time() - start_cpu
print(json.dumps({
    'version': sklearn.__version__,
    'fitSeconds': fit_seconds,
    'flows': done,
    'cpuSecondsPerFlow': cpu / done,
    'flowsPerCpuSecond': done / cpu,
    'latencyMsP99': float(np.quantile(latencies, 0.99)) * 1000,
    'residentBytes': resident(),
    'meanScore': -total / done / len(forests),
}))
