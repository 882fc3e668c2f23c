/** The verbs and options as people mistype them; help; the simulate and demo verbs. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { rootFolder } from '../support/source-tree.ts';
import { runNatlens, type Ran } from '../support/natlens-process.ts';

const folder = mkdtempSync(join(tmpdir(), 'natlens-options-'));
after(() => rmSync(folder, { recursive: true }));
const run = (...args: string[]): Ran => runNatlens(args, { cwd: folder });

before(() => {
  const ran = run('simulate', 'home.pcap', '--seed', '4', '--minutes', '0.5', '--devices', 'camera,plug');
  assert.equal(ran.status, 0, ran.stderr);
});

function assertRefused(args: readonly string[], sentence: RegExp): void {
  const ran = run(...args);
  const line = `natlens ${args.join(' ')}`;
  assert.equal(ran.status, 2, line);
  assert.equal(ran.stdout, '', line);
  assert.match(ran.stderr, sentence, line);
  assert.match(ran.stderr, /^natlens: [^\n]+\n$/, line);
}

test('options that do not fit: one sentence, exit code 2', () => {
  for (const text of ['0', '-1', 'abc', '', '3601', '1e9', 'NaN']) {
    assertRefused(['flows', 'home.pcap', '--active', text], /timeout is a number of seconds above 0 and up to 3600/);
    assertRefused(['flows', 'home.pcap', '--idle', text], /timeout is a number of seconds above 0 and up to 3600/);
  }
  assertRefused(['flows', 'home.pcap', '--l7', 'magic'], /--l7 is one of exporter, ndpi, prefix, none, not 'magic'/);
  for (const text of ['10.0.0.0/33', '10.0.0', 'home', '2001:db8::/129', '10.0.0.0/8,', '10.0.0.0/8/8']) {
    assertRefused(['flows', 'home.pcap', '--home', text], /--home wants prefixes such as/);
  }
  assertRefused(['flows', '--home', '10.0.0.0/8', 'home.pcap'], /'home\.pcap' \(inputs are named before --home\)/);
  for (const name of ['flows.txt', 'flows', 'flows.csv.gz', '.']) {
    assertRefused(['flows', 'home.pcap', '-o', name], /no suffix that says what to write/);
  }
  assertRefused(['flows', 'home.pcap', '-o', 'gone/flows.csv'], /Cannot write gone\/flows\.csv/);
  assertRefused(['flows', 'home.pcap', '-o', 'home.pcap/flows.parquet'], /Cannot write home\.pcap\/flows\.parquet/);
  assertRefused(['flows', 'home.pcap', '--dns', 'queries.parquet'], /can be \.csv or \.jsonl/);
  assertRefused(['flows', 'home.pcap', '-o', 'a.csv', '--dns', './a.csv'], /cannot both go to a\.csv/);
  assertRefused(['flows', 'home.pcap', '-o', '-', '--dns', '-'], /cannot both go to standard output/);
  assertRefused(['simulate', 'gone/home.pcap'], /cannot write gone\/home\.pcap/);
  assertRefused(['simulate', 'x.pcap', '--seed', 'a'], /--seed is a whole number/);
  assertRefused(['simulate', 'x.pcap', '--minutes', '0'], /--minutes is a number above 0/);
  assertRefused(['simulate', 'x.pcap', '--devices', 'camera,toaster'], /--devices knows .*, not 'toaster'/);
  assert.deepEqual(readdirSync(folder).filter((name) => !name.startsWith('.')), ['home.pcap']);
});

test('verbs and options that there are not: what is wrong, where help is, exit code 2', () => {
  for (const [args, sentence] of [
    [['flws'], /unknown command 'flws'\n\(Did you mean flows\?\)/], [['flows'], /missing required argument 'input'/],
    [['flows', 'home.pcap', '--jsn'], /unknown option '--jsn'\n\(Did you mean --json\?\)/],
    [['flows', 'home.pcap', '--active'], /argument missing/], [['--nope'], /unknown option/],
  ] as const) {
    const ran = run(...args);
    assert.equal(ran.status, 2, args.join(' '));
    assert.equal(ran.stdout, '');
    assert.match(ran.stderr, sentence);
    assert.match(ran.stderr, /natlens --help/);
    assert.doesNotMatch(ran.stderr, / {4}at /);
  }
});

test('help: natlens alone, of the program and of every verb, each with an example', () => {
  const alone = run();
  assert.equal(alone.status, 0);
  assert.deepEqual(alone, run('--help'));
  assert.match(alone.stdout, /Example:\n {2}natlens flows \S+ -o \S+\n/);
  assert.match(alone.stdout, /Exit codes: 0 /);
  const verbs = [...alone.stdout.matchAll(/^ {2}([a-z]+)(?: \[\w+\])? {2,}\S/gm)].map((match) => match[1] as string);
  assert.deepEqual(verbs,
    ['flows', 'export', 'probe', 'train', 'calibrate', 'score', 'classifier', 'detect', 'collect', 'lab', 'simulate',
      'demo', 'help']);
  for (const verb of verbs.slice(0, -1)) {
    const ran = run(verb, '--help');
    assert.equal(ran.status, 0);
    assert.match(ran.stdout, new RegExp(`Examples?:\n {2}(?:sudo )?natlens ${verb} `));
    assert.ok(ran.stdout.split('\n').every((line) => line.length <= 80), 'wider than a terminal');
    assert.equal(run('help', verb).stdout, ran.stdout);
  }
});

test('the version is the manifest\'s', () => {
  const { version } = JSON.parse(readFileSync(join(rootFolder, 'package.json'), 'utf8')) as { version: string };
  assert.deepEqual(run('--version'), { status: 0, signal: null, stdout: `${version}\n`, stderr: '' });
});

test('the same seed simulates the same bytes, another one others', () => {
  const simulate = (name: string, seed: string): Buffer => {
    const ran = run('simulate', name, '--seed', seed, '--minutes', '0.5', '--devices', 'camera,plug', '--json');
    assert.equal(ran.status, 0, ran.stderr);
    const truth = JSON.parse(ran.stdout) as { fileBytes: number; devices: { deviceName: string }[] };
    assert.deepEqual(truth.devices.map(({ deviceName }) => deviceName), ['camera-1', 'plug-1']);
    const bytes = readFileSync(join(folder, name));
    assert.equal(truth.fileBytes, bytes.length);
    return bytes;
  };
  const first = readFileSync(join(folder, 'home.pcap'));
  assert.ok(first.length > 1000);
  assert.ok(first.equals(simulate('again.pcap', '4')));
  assert.ok(!first.equals(simulate('other.pcap', '5')));
  assert.equal(simulate('other.pcapng', '4').readUInt32LE(0), 0x0a0d0d0a);
});

test('the demo ends by itself and tells the home that has the camera from the one that has not', () => {
  const out = join(folder, 'demo');
  const ran = run('demo', '--out', out, '--json', '-q');
  assert.equal(ran.status, 0, ran.stderr);
  assert.equal(ran.stderr, '');
  const found = JSON.parse(ran.stdout) as {
    isSimulated: boolean; report: string; results: { deviceModel: string; algorithm: string; auc: number }[];
    homes: { hasDevice: boolean; verdict: string }[];
    labelling: { outside: { labelled: number } };
  };
  assert.equal(found.isSimulated, true);
  assert.deepEqual(found.homes.map(({ hasDevice, verdict }) => [hasDevice, verdict]),
    [[true, 'present'], [false, 'not yet']]);
  assert.equal(new Set(found.results.map(({ deviceModel }) => deviceModel)).size, 13);
  assert.ok(found.labelling.outside.labelled > 20_000);
  const mean = (algorithm: string): number => {
    const all = found.results.filter((result) => result.algorithm === algorithm).map(({ auc }) => auc);
    return all.reduce((sum, auc) => sum + auc, 0) / all.length;
  };
  assert.ok(mean('chow-liu-tree') > mean('isolation-forest'));
  assert.match(readFileSync(found.report, 'utf8'), /^<!doctype html>[^]*imulated/i);
  assert.deepEqual(readdirSync(out).sort(), ['home-a', 'home-b', 'lab', 'report.html', 'results']);
  assert.deepEqual(readdirSync(join(out, 'lab')).filter((name) => name.endsWith('.pcap')), []);
});
