#!/usr/bin/env python3
"""What scikit-learn makes of flows: ColumnTransformer(MinMaxScaler, OneHotEncoder(handle_unknown='ignore')) fitted on
training flows, applied to them and to others, cast to float32. Prints test/oracle/encoder.json; run by hand, and by
test/system/encoder-oracle.test.ts. Features are those of Meidan et al. 2019, read from the columns of flow records.
"""
import json
import random

import numpy as np
import sklearn
from sklearn.compose import ColumnTransformer
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder

COLUMNS = ['flowStartMilliseconds', 'flowEndMilliseconds', 'initiatorOctets', 'responderOctets', 'ipClassOfService',
           'reverseIpClassOfService', 'protocolIdentifier', 'destinationTransportPort', 'icmpTypeCodeIPv4',
           'icmpTypeCodeIPv6', 'applicationName']
# The last two are in this order by code point and in the other by UTF-16 unit.
NAMES = ['', 'DNS', 'TLS', 'TLS.Amazon', 'tls', 'HTTP', 'na\u00efve', '\uffee', '\U0001f3e0']


def draw_flow(rng, names, ports):
    start = 1655071198000 + rng.randrange(10 ** 8)
    protocol = rng.choice([6, 6, 17, 1, 58, 2])
    icmp4 = rng.choice([0x0800, 0x0303]) if protocol == 1 else 0
    icmp6 = rng.choice([0x8000, 0x8700]) if protocol == 58 else 0
    port = rng.choice(ports) if protocol in (6, 17) else 0
    return [start, start + rng.choice([0, 1, rng.randrange(120000)]), rng.randrange(10 ** rng.randrange(1, 13)),
            rng.choice([0, rng.randrange(10 ** 6)]), rng.choice([0, 16, 184]), rng.choice([0, 32]), protocol, port,
            icmp4, icmp6, rng.choice(names)]


def features_of(flows):
    """Three numeric columns, then five categorical ones."""
    rows = []
    for flow in flows:
        f = dict(zip(COLUMNS, flow))
        port = {1: f['icmpTypeCodeIPv4'], 58: f['icmpTypeCodeIPv6']}.get(
            f['protocolIdentifier'], f['destinationTransportPort'])
        rows.append([float(f['initiatorOctets']), float(f['responderOctets']),
                     float(f['flowEndMilliseconds'] - f['flowStartMilliseconds']), f['ipClassOfService'],
                     f['reverseIpClassOfService'], f['protocolIdentifier'], port, f['applicationName']])
    return np.array(rows, dtype=object)


def describe(matrix, numeric_count):
    """A row as its numbers and the columns of its ones."""
    return [[[float(x) for x in row[:numeric_count]], [int(i) for i in np.flatnonzero(row[numeric_count:])]]
            for row in matrix]


def make_case(name, train, others):
    encoder = ColumnTransformer([
        ('numeric', MinMaxScaler(), [0, 1, 2]),
        ('categorical', OneHotEncoder(handle_unknown='ignore', sparse_output=False), [3, 4, 5, 6, 7]),
    ])
    encoder.fit(features_of(train))
    categories = encoder.named_transformers_['categorical'].categories_
    encode = lambda flows: encoder.transform(features_of(flows)).astype(np.float32)
    return {
        'name': name, 'train': train, 'others': others,
        'categories': [[str(c) for c in cs] for cs in categories],
        'encodedTrain': describe(encode(train), 3), 'encodedOthers': describe(encode(others), 3),
    }


def main():
    rng = random.Random(20190530)
    draw = lambda count, names, ports: [draw_flow(rng, names, ports) for _ in range(count)]
    ports = [53, 80, 443, 8883, 40000]
    others = draw(20, NAMES + ['QUIC'], ports + [1, 9999, 65535])
    constant = [[1000, 4000, 60, 0, 0, 0, 17, 53, 0, 0, 'DNS']] * 3
    cases = [
        make_case('many flows', draw(40, NAMES, ports), others),
        make_case('flows that are all alike', constant, others[:6]),
        make_case('one flow', others[:1], others[:6]),
    ]
    body = ',\n'.join(json.dumps(case, separators=(',', ':')) for case in cases)
    columns = json.dumps(COLUMNS, separators=(',', ':'))
    print('{"sklearn":"%s","columns":%s,"cases":[\n%s\n]}' % (sklearn.__version__, columns, body))


main()
