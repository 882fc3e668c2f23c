"""What scikit-learn's OneClassSVM makes of the cases of point_cases.py; writes one-class-svm.json beside itself.

    /usr/bin/python3 -B test/oracle/one-class-svm.py
"""
from point_cases import one_hot, run
from sklearn.svm import OneClassSVM

SETTINGS = [
    {"nu": 0.5, "tolerance": 1e-3, "gamma": "scale"},
    {"nu": 0.5, "tolerance": 1e-9, "gamma": "scale"},
    {"nu": 0.1, "tolerance": 1e-3, "gamma": "scale"},
    {"nu": 0.13, "tolerance": 1e-9, "gamma": "auto"},
    {"nu": 0.9, "tolerance": 1e-3, "gamma": 0.7},
]


def answer(case):
    train, queries = one_hot(case["layout"], case["train"]), one_hot(case["layout"], case["queries"])
    runs = []
    for setting in SETTINGS:
        machine = OneClassSVM(nu=setting["nu"], tol=setting["tolerance"], gamma=setting["gamma"]).fit(train)
        runs.append({
            **setting, "width": machine._gamma, "offset": float(machine.offset_[0]),
            "iterations": int(machine.n_iter_), "decisions": machine.decision_function(queries).tolist(),
        })
    return runs


run(__file__, answer)
