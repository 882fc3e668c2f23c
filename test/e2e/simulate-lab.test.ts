/** `natlens simulate --lab` as a user types it: the folder, homes with and without, and options that do not fit. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { runNatlens, type Ran } from '../support/natlens-process.ts';

const folder = mkdtempSync(join(tmpdir(), 'natlens-simulate-lab-'));
after(() => rmSync(folder, { recursive: true }));
const run = (...args: string[]): Ran => runNatlens(args, { cwd: folder });
const files = ['inside.pcap', 'inventory.csv', 'lab.json', 'outside.pcap', 'truth.csv'];
const short = ['--days', '4', '--scale', '0.01'];

function digest(name: string): string {
  return createHash('sha256').update(readFileSync(join(folder, name))).digest('hex');
}

test('a lab: both sides, inventory and truth; the same seed writes the same bytes', () => {
  const ran = run('simulate', '--lab', 'one', ...short, '--nat-ports', 'random', '--clock-offset', '40');
  assert.equal(ran.status, 0, ran.stderr);
  assert.match(ran.stdout, /^Simulated traffic/);
  assert.match(ran.stdout, /webcam\.Sricam\.SP017 +iot +2 /);
  assert.deepEqual(readdirSync(join(folder, 'one')).toSorted(), files);
  const again = run('simulate', '--lab', 'two', ...short, '--nat-ports', 'random', '--clock-offset', '40', '--json');
  const [facts] = JSON.parse(again.stdout) as { devices: unknown[]; outsidePackets: number; translations: number }[];
  assert.equal(facts?.devices.length, 33);
  for (const name of files) assert.equal(digest(`two/${name}`), digest(`one/${name}`), name);
  assert.equal(run('simulate', '--lab', 'three', ...short, '--seed', '2').status, 0);
  assert.notEqual(digest('three/inside.pcap'), digest('one/inside.pcap'));
  const truth = readFileSync(join(folder, 'one/truth.csv'), 'utf8').trimEnd().split('\n');
  assert.equal(truth.length, (facts?.translations ?? 0) + 1);
  const inventory = readFileSync(join(folder, 'one/inventory.csv'), 'utf8').trimEnd().split('\n');
  assert.match(inventory[0] ?? '', /^# Simulated/);
  assert.equal(inventory[1], 'capture,mac,device_model,kind,device');
  assert.equal(inventory.length, 33 + 2);
});

test('both sides can be metered, and a data set be built of the inventory', () => {
  const inside = JSON.parse(run('flows', 'one/inside.pcap', '-q', '--json').stdout) as { meteredPackets: number };
  const outside = JSON.parse(run('flows', 'one/outside.pcap', '-q', '--json').stdout) as { meteredPackets: number };
  assert.ok(inside.meteredPackets > outside.meteredPackets && outside.meteredPackets > 10_000);
  const built = run('lab', 'build', '--inventory', 'one/inventory.csv', '--out', 'dataset', '--json', '-q');
  assert.equal(built.status, 0, built.stderr);
  const { devices } = JSON.parse(built.stdout) as { devices: { deviceModel: string; kind: string; flows: number }[] };
  assert.equal(devices.length, 33);
  assert.equal(devices.filter(({ kind }) => kind === 'non-iot').length, 7);
  assert.ok(devices.every(({ flows }) => flows > 10));
});

test('homes with and without an intruder: the same household', () => {
  const ran = run('simulate', '--lab', 'homes', '--homes', '2', '--intruder', 'webcam.Edimax.IC_3116W', '--days', '1',
    '--scale', '0.01');
  assert.equal(ran.status, 0, ran.stderr);
  const modelsOf = (name: string): string[] => readFileSync(join(folder, 'homes', name, 'inventory.csv'), 'utf8')
    .trimEnd().split('\n').slice(2).map((line) => line.split(',').slice(1, 3).join());
  const names = ['home-01-with', 'home-01-without', 'home-02-with', 'home-02-without'];
  assert.deepEqual(readdirSync(join(folder, 'homes')).toSorted(), names);
  const [first = [], firstWithout = [], second = [], secondWithout = []] = names.map(modelsOf);
  assert.match(first.at(-1) ?? '', /webcam\.Edimax\.IC_3116W$/);
  assert.deepEqual(first.slice(0, -1), firstWithout);
  assert.deepEqual(second.slice(0, -1), secondWithout);
  assert.notDeepEqual(firstWithout, secondWithout);
});

test('options that do not fit: one sentence, exit code 2, nothing written', () => {
  for (const [args, sentence] of [
    [[], /name a capture to write/], [['x.pcap', '--lab', 'x'], /leave out the capture x\.pcap/],
    [['x.pcap', '--days', '3'], /--days needs --lab DIR/], [['x.pcap', '--nat-ports', 'random'], /--nat-ports needs/],
    [['--lab', 'x', '--minutes', '3'], /--minutes is of a capture/],
    [['--lab', 'x', '--homes', '2'], /needs --intruder/],
    [['--lab', 'x', '--intruder', 'webcam.Nobody.One'], /the lab has no webcam\.Nobody\.One; it has webcam\.Sricam/],
    [['--lab', 'x', '--firmware', 'webcam.Nobody.One@2'], /the lab has no webcam\.Nobody\.One/],
    [['--lab', 'x', '--firmware', 'webcam'], /a device model and a day/],
    [['--lab', 'x', '--units', '9'], /from 1 to 4/],
    [['--lab', 'x', '--intruder', 'socket.TP_Link.HS110', '--units', '2'], /--units does not go with --intruder/],
    [['--lab', 'x', '--scale', '2'], /scale of a lab is a number from/],
    [['--lab', 'x', '--days', 'a'], /above 0, not/],
    [['--lab', 'x', '--days', '99', '--scale', '1'], /at most 40 days/],
    [['--lab', 'x', '--nat-ports', 'y'], /knows pre/],
    [['--lab', 'x', '--clock-offset', 'y'], /--clock-offset is a number/],
    [['--lab', 'one/inside.pcap'], /cannot make the folder/],
  ] as const) {
    const ran = run('simulate', ...args);
    assert.equal(ran.status, 2, args.join(' '));
    assert.match(ran.stderr, sentence, args.join(' '));
    assert.equal(ran.stdout, '');
  }
  assert.ok(!existsSync(join(folder, 'x')) && !existsSync(join(folder, 'x.pcap')));
});
