"""Makes isolation-forest.json: what scikit-learn 1.2.1 grows and scores, for isolation-forest.test.ts.

Run with Debian's python3-sklearn, from this folder: /usr/bin/python3 isolation-forest.py
Rows are made by a formula that the test repeats, so that only specifications and results are stored: of every tree a
digest, of the first one all nodes, and some scores.
"""
import hashlib
import json
import struct
import warnings

import numpy as np
import sklearn
from sklearn.ensemble import IsolationForest
from sklearn.tree import ExtraTreeRegressor

M = 0xFFFFFFFF


def mix(row, column, salt):
    h = (row * 2654435761 + column * 2246822519 + salt * 3266489917) & M
    for shift, factor in ((15, 2246822519), (13, 3266489917)):
        h ^= h >> shift
        h = (h * factor) & M
    return h ^ (h >> 16)


def numbers(spec, column, salt, count, spread):
    levels, scale, offset = spec["numeric"][column]
    rows = [row % spec["distinct"] for row in range(count)]
    values = [(mix(row, column, salt) % levels) / levels * scale + offset for row in rows]
    return [np.float32(value * spread[0] + spread[1]) for value in values]


def codes(spec, feature, salt, count):
    categories = spec["categories"][feature]
    result = []
    for row in range(count):
        u = mix(row % spec["distinct"], 1000 + feature, salt) / 4294967296
        # Rare categories are the rule: the cube makes the first ones frequent.
        result.append(int(u * u * u * categories))
    return result


def matrix(spec, salt, count, spread, unseen):
    columns = [numbers(spec, column, salt, count, spread) for column in range(len(spec["numeric"]))]
    for feature, categories in enumerate(spec["categories"]):
        code = codes(spec, feature, salt, count)
        if unseen:
            code = [categories if row % 5 == feature % 5 else c for row, c in enumerate(code)]
        columns += [[1.0 if c == category else 0.0 for c in code] for category in range(categories)]
    x = np.array(columns, dtype=np.float32).T.copy()
    if salt == 1:
        for row, column, value in spec["replaced"]:
            x[row, column] = value
    return x


def nodes(tree):
    result = []
    for i in range(tree.node_count):
        is_split = tree.feature[i] >= 0
        result.append([int(tree.feature[i]) if is_split else -1, float(tree.threshold[i]) if is_split else 0.0,
                       max(int(tree.children_right[i]), 0), int(tree.n_node_samples[i])])
    return result


def digest(tree):
    packed = b"".join(struct.pack("<idii", *node) for node in nodes(tree))
    return hashlib.sha256(packed).hexdigest()[:12]


def case(name, rows, numeric, categories, seed=0, distinct=None, replaced=(), **options):
    spec = {
        "name": name, "rows": rows, "numeric": numeric, "categories": categories, "seed": seed,
        "distinct": distinct or rows, "replaced": list(replaced),
        "options": {"treeCount": 100, "maxSamples": 256, "contamination": "auto", **options},
    }
    x = matrix(spec, 1, rows, (1, 0), False)
    chosen = spec["options"]
    forest = IsolationForest(
        n_estimators=chosen["treeCount"], max_samples=min(chosen["maxSamples"], rows),
        contamination=chosen["contamination"], random_state=seed,
    ).fit(x)
    own = x[:20]
    others = matrix(spec, 2, 20, (2, -0.5), True)
    trees = [estimator.tree_ for estimator in forest.estimators_]
    spec["expected"] = {
        "maxSamples": forest.max_samples_, "offset": float(forest.offset_), "trees": [digest(tree) for tree in trees],
        "firstTree": nodes(trees[0])[:40],
        "ownScores": forest.score_samples(own).tolist(), "otherScores": forest.score_samples(others).tolist(),
    }
    return spec


def near_targets():
    """Two rows whose random targets all but coincide, far from all others: scikit-learn takes the pair for pure."""
    rows = 300
    for seed in range(100000):
        targets = np.random.RandomState(seed).uniform(size=rows)
        order = np.argsort(targets)
        gaps = np.diff(targets[order])
        if gaps.min() < 1e-8:
            a, b = (int(order[gaps.argmin() + i]) for i in (0, 1))
            return case("near-targets", rows, [[65536, 1, 0], [65536, 1, 0]], [3], seed=seed,
                        replaced=[[a, 0, 40.0], [b, 0, 40.5]])
    raise SystemExit("no seed gives two targets that nearly coincide")


def useless_splits():
    """Single trees on targets whose halves are alike: rounding makes some splits look as if they did harm."""
    found = []
    for seed in range(20000):
        random = np.random.RandomState(seed)
        half = int(random.randint(2, 20))
        y = random.uniform(size=half) * 10.0
        x = np.repeat([0.0, 1.0], half).astype(np.float32).reshape(-1, 1)
        targets = np.concatenate([y, random.permutation(y)])
        regressor = ExtraTreeRegressor(max_features=1, splitter="random", max_depth=8, random_state=seed)
        if regressor.fit(x, targets).tree_.node_count == 1:
            found.append({"seed": seed, "targets": targets.tolist()})
            if len(found) == 3:
                return found
    raise SystemExit("no split of equal halves was refused")


def streams():
    """numpy's legacy streams themselves."""
    result = []
    for seed in (0, 1, 42, 0x7FFFFFFE, M):
        g = np.random.RandomState(seed)
        result.append({
            "seed": seed, "uniform": g.uniform(size=5).tolist(),
            "randint": [int(g.randint(n)) for n in (1, 2, 7, 1000, 2**31 - 1)],
            "many": int(g.randint(0, 2**31 - 1, size=2000)[-1]), "permutation": g.permutation(40).tolist(),
        })
    return result


real = [65536, 1, 0]
cases = [
    case("one-row", 1, [real, real], [2], treeCount=5),
    case("two-rows", 2, [real, real], [2], seed=7, treeCount=20),
    case("seven-rows", 7, [real, real, [3, 1, 0]], [2, 3], seed=3),
    case("constant-columns", 500, [[1, 1, 0], [4, 1, 0], real], [1, 1, 3], seed=11),
    case("all-constant", 300, [[1, 1, 0.25]], [1, 1], seed=5, treeCount=10),
    case("nearly-constant", 400, [[2, 2 ** -23, 0.5], [3, 3 * 2 ** -23, 0.5], [2, 1e-6, 0]], [], seed=8),
    case("ties", 1000, [[3, 1, 0], [5, 1, 0], [2, 1, 0]], [4, 6], seed=1),
    case("duplicates", 1000, [real, real], [3], seed=2, distinct=5),
    case("one-hot-300", 2000, [real, real, real], [150, 100, 47], seed=4294967295),
    case("no-numbers", 900, [], [30, 4, 8], seed=6),
    case("sample-of-all-but-one", 257, [real, [9, 1, 0]], [5], seed=13),
    case("sample-of-all-but-two", 258, [real, [9, 1, 0]], [5], seed=14),
    case("sample-of-all-but-three", 259, [real, [9, 1, 0]], [5], seed=15),
    case("usual", 5000, [real, [700, 1, 0], [65536, 1, 0]], [3, 4, 2, 12, 9], seed=42),
    case("last-permutation", 25599, [real, [700, 1, 0]], [3, 12], seed=16, treeCount=10),
    case("first-tracking", 25600, [real, [700, 1, 0]], [3, 12], seed=17, treeCount=10),
    case("tracking", 30000, [real, [700, 1, 0]], [3, 12], seed=18),
    case("contamination", 700, [real, real], [3], seed=19, contamination=0.07, treeCount=30),
    case("large-samples", 1500, [real, [50, 1, 0]], [3, 300], seed=20, maxSamples=1000, treeCount=12),
    case("small-samples", 1500, [real, [50, 1, 0]], [7], seed=21, maxSamples=10, treeCount=300),
    near_targets(),
]
if __name__ == "__main__":
    warnings.simplefilter("error")
    with open("isolation-forest.json", "w") as file:
        lines = ",\n".join(json.dumps(one, separators=(",", ":")) for one in cases)
        file.write('{"sklearn": "%s", "streams": %s,\n"uselessSplits": %s,\n"cases": [\n%s\n]}\n' % (
            sklearn.__version__, json.dumps(streams()), json.dumps(useless_splits()), lines))
