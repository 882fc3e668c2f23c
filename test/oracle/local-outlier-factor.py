"""What scikit-learn's LocalOutlierFactor makes of the cases of point_cases.py; writes local-outlier-factor.json.

    /usr/bin/python3 -B test/oracle/local-outlier-factor.py

`isDetermined` says for which queries the definition alone gives the factor. Where different rows are equally far away
and only some of them are neighbours, the factor depends on which are taken: scikit-learn's own two algorithms differ.
The one asked here is `kd_tree`, in float64: `brute`, which it takes by itself beyond 15 columns, makes distances from
scalar products, so that equal rows are about 1e-8 apart and densities among them come from rounding.
"""
import numpy as np
from point_cases import one_hot, run
from sklearn.neighbors import LocalOutlierFactor


def squared_distances(a, b):
    out = np.zeros((len(a), len(b)))
    for column in range(a.shape[1]):
        out += (a[:, column][:, None] - b[:, column][None, :]) ** 2
    return out


def find_ties(distances, identities, neighbours):
    """For each row: is it open which of several different rows are its last neighbours? And how far these are."""
    ordered = np.sort(distances, axis=1)
    reach = ordered[:, neighbours - 1]
    is_open = np.zeros(len(distances), dtype=bool)
    if ordered.shape[1] > neighbours:
        for row in np.nonzero(ordered[:, neighbours] == reach)[0]:
            is_open[row] = len(set(identities[distances[row] == reach[row]])) > 1
    return is_open, reach


def find_determined(train, queries, neighbours):
    identities = np.unique(train, axis=0, return_inverse=True)[1].ravel()
    among = squared_distances(train, train)
    np.fill_diagonal(among, np.inf)
    train_open, _ = find_ties(among, identities, neighbours)
    distances = squared_distances(queries, train)
    query_open, reach = find_ties(distances, identities, neighbours)
    return [
        bool(not query_open[row] and not train_open[distances[row] <= reach[row]].any()) for row in range(len(queries))
    ]


def answer(case):
    train, queries = one_hot(case["layout"], case["train"]), one_hot(case["layout"], case["queries"])
    runs = []
    for neighbours in (20, 5):
        model = LocalOutlierFactor(novelty=True, n_neighbors=neighbours, algorithm="kd_tree").fit(train)
        runs.append({
            "neighbours": neighbours, "scores": model.score_samples(queries).tolist(), "offset": model.offset_,
            "isDetermined": find_determined(train, queries, model.n_neighbors_),
        })
    return runs


run(__file__, answer)
