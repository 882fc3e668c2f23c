"""Rows for the oracles of detectors that measure distances: made from a seed, or given on standard input as JSON.

A case: {name, layout: {numericCount, categoryCounts}, train, queries}; rows are {numeric: [feature][row], codes:
[feature][row]} as `EncodedRows` has them (float32 numbers; the code `count` is a category that training never showed).
Used by one-class-svm.py and local-outlier-factor.py, for Debian's python3-sklearn 1.2.1.
"""
import json
import sys
from pathlib import Path

import numpy as np


def one_hot(layout, rows):
    """The one-hot form in float64, columns as `expandOneHot` has them."""
    parts = [np.array(column, dtype=np.float32).astype(np.float64)[:, None] for column in rows["numeric"]]
    for count, codes in zip(layout["categoryCounts"], rows["codes"]):
        part = np.zeros((len(codes), count + 1))
        part[np.arange(len(codes)), codes] = 1
        parts.append(part[:, :count])
    return np.hstack(parts)


def make_rows(random, layout, count, *, distinct, unseen=0.0, spread=1.0):
    """Rows that repeat each other as flows do: `distinct` different ones, the first of them most often."""
    numeric = [np.float32(random.beta(1, 6, distinct) * spread) for _ in range(layout["numericCount"])]
    codes = [np.minimum(random.geometric(0.4, distinct) - 1, size - 1) for size in layout["categoryCounts"]]
    for feature, size in enumerate(layout["categoryCounts"]):
        codes[feature] = np.where(random.random(distinct) < unseen, size, codes[feature])
    pick = np.sort(np.minimum((distinct * random.random(count) ** 1.5).astype(int), distinct - 1))
    random.shuffle(pick)
    # The shortest decimals that give the same float32 again.
    return {
        "numeric": [[float(str(value)) for value in column[pick]] for column in numeric],
        "codes": [column[pick].tolist() for column in codes],
    }


def make_case(name, seed, sizes, count, distinct):
    random = np.random.default_rng(seed)
    layout = {"numericCount": sizes[0], "categoryCounts": sizes[1]}
    train = make_rows(random, layout, count, distinct=distinct)
    near = make_rows(random, layout, 25, distinct=25, unseen=0.2)
    far = make_rows(random, layout, 5, distinct=5, spread=50.0)
    queries = {
        kind: [a[:20] + b + c for a, b, c in zip(train[kind], near[kind], far[kind])] for kind in ("numeric", "codes")
    }
    return {"name": name, "layout": layout, "train": train, "queries": queries}


def make_cases():
    wide = [4, 2, 3, 40, 15]
    return [
        make_case("flow-like, a third of the rows distinct", 1, (3, wide), 300, 100),
        make_case("flow-like, all rows distinct", 2, (3, wide), 300, 4000),
        make_case("numbers alone", 3, (3, []), 200, 2000),
        make_case("categories alone", 4, (0, [3, 5, 20]), 150, 60),
        make_case("one row many times", 5, (3, wide), 50, 1),
        make_case("two distinct rows", 6, (2, [3]), 60, 2),
        make_case("few rows", 7, (3, wide), 6, 6),
        make_case("enough rows to shrink", 8, (2, [8]), 1500, 6000),
    ]


def run(script, answer):
    """Answers the cases of standard input (argument `-`) on standard output, else made ones into a file beside."""
    if sys.argv[1:] == ["-"]:
        json.dump([answer(case) for case in json.load(sys.stdin)], sys.stdout)
        return
    cases = [{**case, "runs": answer(case)} for case in make_cases()]
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    Path(script).with_suffix(".json").write_text(f"[\n{lines}\n]\n")
