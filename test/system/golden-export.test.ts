/**
 * The golden exports beside tshark: the rows that a person wrote down, and those of recorded exporters, are what its
 * dissector reads. Where it reads otherwise the case is named here, with what it does there; a case that comes to agree
 * must leave the list.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { listCases } from '../golden/golden-folder.ts';
import { readWithTshark } from '../golden/tshark-export-rows.ts';
import { missing } from './shared-data.ts';

const skip = missing({ programs: ['tshark'] });
const casesFolder = fileURLToPath(new URL('../golden/exports/', import.meta.url));

/** What tshark does, and the cases of which its rows are others for that. */
const otherRows: readonly (readonly [does: string, cases: readonly string[]])[] = [
  ['shows these elements under names that tshark-export-rows.ts does not ask for', [
    'icmp-elements', 'ipfix-reduced-size', 'ipv6-and-macs', 'names-nbar-ipfix', 'names-nbar-v9', 'names-ntop-ipfix',
    'names-ntop-v9', 'natlens-v9', 'v9-out-counters', 'values-in-records-of-variable-length',
  ]],
  ['shows times of these kinds as they stand in the record, unplaced', [
    'time-delta-microseconds', 'time-duration-microseconds', 'time-duration-of-no-bytes', 'time-duration-milliseconds',
    'time-microseconds', 'time-nanoseconds', 'time-ntp-second-era', 'time-observation', 'time-uptime-unplaced',
  ]],
  ['renormalises nothing, turns no biflow, and shows no domain of NetFlow v5', [
    'v5-sampling-renormalised', 'v9-options-sampling-renormalised', 'ipfix-biflow-direction', 'v5-whole',
    'v5-loss-copy-disorder',
  ]],
  ['shows the fields of a list, and of every address of a tunnel, as the record\'s own', [
    'ipfix-sub-template-list', 'ipfix-list-ends-behind-its-set', 'two-addresses-of-a-tunnel',
  ]],
  ['adds up uptimes and start of the exporter without a wrap', ['time-uptime-wraps']],
  ['shows copies too', ['ipfix-loss-copy-disorder', 'v9-loss-copy-disorder']],
  ['keeps one template for an id and a port: none of before a restart or a change of port, none for what came earlier', [
    'v9-restart', 'v9-source-port-changes', 'v9-data-before-template', 'v9-template-redefined',
    'versions-of-one-exporter', 'ipfix-withdrawal', 'ipfix-withdraw-all',
  ]],
  ['reads on behind a length that cannot be, or stops where a set can be passed over', [
    'v5-cut-and-miscounted', 'ipfix-wrong-message-length', 'v9-bad-templates', 'v9-reserved-sets',
  ]],
  ['shows an exporter of IPv6 as ipv6.src, which is not asked for', ['v9-two-exporters-one-source-id']],
];
const others = new Map(otherRows.flatMap(([does, cases]) => cases.map((name) => [name, does] as const)));

/** Rows of tshark, or why there are none: a record that it gives no address cannot be one. */
function tryTshark(path: string): string {
  try {
    return readWithTshark(path);
  } catch (thrown) {
    return String(thrown);
  }
}

const names = listCases(casesFolder).filter((name) => existsSync(join(casesFolder, name, 'exports.pcap')));

for (const name of names) {
  test(`tshark ${name}`, { skip }, () => {
    const expected = readFileSync(join(casesFolder, name, 'expected.csv'), 'utf8');
    const theirs = tryTshark(join(casesFolder, name, 'exports.pcap'));
    if (others.has(name)) assert.notEqual(theirs, expected, `tshark no longer ${others.get(name)}`);
    else assert.equal(theirs, expected);
  });
}

test('the cases that tshark reads otherwise are there', () => {
  assert.deepEqual([...others.keys()].filter((name) => !names.includes(name)), []);
  assert.ok(names.length - others.size >= 30, 'most cases are compared');
});
