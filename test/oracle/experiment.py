#!/usr/bin/env python3
"""The paper's experiment (Meidan et al. 2019) by scikit-learn on exported flows, from the labels alone: cuts each
device's flows in time, fits encoder and isolation forest on 70 %, sets the threshold of the 10th percentile by the next
10 %, and judges by the latest 20 % of all devices. Prints JSON: {device model: [{seed, auc, default, p10}, ...]}.

    experiment.py FLOWS.csv SEEDS DEVICE_MODEL...
"""
import csv
import json
import sys

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder


def features_of(row):
    """IN_BYTES, OUT_BYTES, duration; SRC_TOS, DST_TOS, PROTOCOL, L4_DST_PORT, L7_PROTO_NAME."""
    port = {'1': row['icmpTypeCodeIPv4'], '58': row['icmpTypeCodeIPv6']}.get(
        row['protocolIdentifier'], row['destinationTransportPort'])
    return [float(row['initiatorOctets']), float(row['responderOctets']),
            float(row['flowEndMilliseconds']) - float(row['flowStartMilliseconds']),
            int(row['ipClassOfService']), int(row['reverseIpClassOfService']), int(row['protocolIdentifier']), int(port),
            row['applicationName']]


def read_parts(path):
    """{(device model, device): (training, validation, test)}"""
    devices = {}
    with open(path, newline='') as file:
        for row in csv.DictReader(file):
            devices.setdefault((row['device_model'], row['device']), []).append(
                (float(row['flowStartMilliseconds']), features_of(row)))
    parts = {}
    for key, flows in devices.items():
        flows.sort(key=lambda flow: flow[0])
        ordered = [features for _, features in flows]
        first, second = len(ordered) * 7 // 10, len(ordered) * 8 // 10
        parts[key] = (ordered[:first], ordered[first:second], ordered[second:])
    return parts


def join(parts, part, of_model):
    return [row for (model, _), cut in sorted(parts.items()) if of_model(model) for row in cut[part]]


def as_table(rows):
    return np.array(rows, dtype=object)


def judge(parts, model, seed):
    """Scores as the paper has them, sign turned: higher is less like the device model."""
    def is_own(name):
        return name == model
    encoder = ColumnTransformer([
        ('numbers', MinMaxScaler(), [0, 1, 2]),
        ('categories', OneHotEncoder(handle_unknown='ignore'), [3, 4, 5, 6, 7])], sparse_threshold=0)
    training = encoder.fit_transform(as_table(join(parts, 0, is_own))).astype(np.float32)
    forest = IsolationForest(random_state=seed).fit(training)

    def score(rows):
        return -forest.score_samples(encoder.transform(as_table(rows)).astype(np.float32))
    validation = score(join(parts, 1, is_own))
    own, others = score(join(parts, 2, is_own)), score(join(parts, 2, lambda name: not is_own(name)))

    def rates(threshold):
        return {'tpr': float((own <= threshold).mean()), 'fpr': float((others <= threshold).mean())}
    labels = np.r_[np.zeros(len(own)), np.ones(len(others))]
    return {'seed': seed, 'auc': float(roc_auc_score(labels, np.r_[own, others])),
            'default': rates(-forest.offset_), 'p10': rates(np.percentile(validation, 90))}


def main():
    parts = read_parts(sys.argv[1])
    seeds = range(1, int(sys.argv[2]) + 1)
    print(json.dumps({model: [judge(parts, model, seed) for seed in seeds] for model in sys.argv[3:]}))


main()
