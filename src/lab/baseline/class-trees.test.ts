/** Trees of many classes: near perfect among device models that they learned, and never in doubt about any other. */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { copyColumns, makeWorld } from '../../../test/support/made-world.ts';
import type { LabUnit } from '../evaluate/lab-flows.ts';
import { fitClassTrees, flowTreesCatalog, type ClassFlows, type ClassTrees } from './class-trees.ts';

let units: readonly LabUnit[] = [];

before(async () => {
  units = (await makeWorld()).units.map(({ unit }) => unit);
});

const classOf = ({ device: { deviceModel, kind } }: LabUnit): string => kind === 'iot' ? deviceModel : 'people';
const earlier = (unit: LabUnit): ClassFlows =>
  ({ className: classOf(unit), flows: unit.flows, first: 0, end: unit.device.train });
const later = (unit: LabUnit): ClassFlows =>
  ({ className: classOf(unit), flows: unit.flows, first: unit.device.train, end: unit.flows.rowCount });

/** Rows of the unit's later flows that are no DNS, which all devices have in common. */
function ownRows({ flows: { columns, rowCount }, device: { train } }: LabUnit): number[] {
  return Array.from({ length: rowCount - train }, (_, i) => train + i)
    .filter((row) => columns.destinationTransportPort[row] !== 53);
}

function shareOf(trees: ClassTrees, unit: LabUnit, className: string): number {
  const found = trees.classify(unit.flows);
  const rows = ownRows(unit);
  return rows.filter((row) => trees.classes[found[row] as number] === className).length / rows.length;
}

test('they see what the device sent and whom to; no answer, no source port, no time of day, no name', () => {
  const columns = new Set([...flowTreesCatalog.numeric, ...flowTreesCatalog.categorical].flatMap((one) => one.columns));
  assert.deepEqual([...columns].sort(), ['destinationAddress', 'destinationTransportPort', 'flowEndMilliseconds',
    'flowStartMilliseconds', 'icmpTypeCodeIPv4', 'icmpTypeCodeIPv6', 'initiatorOctets', 'initiatorPackets',
    'ipClassOfService', 'protocolIdentifier', 'tcpControlBits']);
  // Start and end alone would be times of day.
  const timed = flowTreesCatalog.numeric.filter((one) => one.columns.includes('flowStartMilliseconds'));
  assert.deepEqual(timed.map(({ name }) => name), ['flowDurationMillisecondsLog2']);
});

test('among known device models they are near perfect; each flow of an unknown one is a known one\'s', () => {
  const trees = fitClassTrees(units.map(earlier));
  assert.deepEqual(trees.classes, [...new Set(units.map(classOf))].sort());
  for (const unit of units) {
    const share = shareOf(trees, unit, classOf(unit));
    assert.ok(share > 0.97, `${classOf(unit)}: ${share}`);
  }
  const isHeldOut = (unit: LabUnit): boolean => unit.device.deviceModel === 'camera.Test.Two';
  const without = fitClassTrees(units.filter((unit) => !isHeldOut(unit)).map(earlier));
  const heldOut = units.find(isHeldOut) ?? assert.fail();
  const siblings = ['camera.Test.One', 'camera.Test.Three'].map((name) => shareOf(without, heldOut, name));
  assert.ok(siblings.reduce((sum, share) => sum + share, 0) > 0.97, `taken for its siblings: ${siblings.join()}`);
});

test('whether a flow is one class\'s is what the most likely class says', () => {
  const trees = fitClassTrees(units.map(earlier), { iterations: 5 });
  const unit = units[0] as LabUnit;
  for (const other of units) {
    const found = trees.classify(other.flows).subarray(other.device.train);
    const expected = Uint8Array.from(found, (i) => Number(trees.classes[i] === classOf(unit)));
    assert.deepEqual(trees.isOfClass({ ...later(other), className: classOf(unit) }), expected);
  }
  assert.deepEqual(trees.isOfClass({ ...later(unit), className: 'nobody' }), new Uint8Array(later(unit).end -
    later(unit).first));
});

test('the same flows give the same trees, and are left as they were', () => {
  const all = (trees: ClassTrees): Uint16Array[] => units.map(({ flows }) => trees.classify(flows));
  const columns = units.map(({ flows }) => copyColumns(flows));
  assert.deepEqual(all(fitClassTrees(units.map(earlier), { iterations: 3 })),
    all(fitClassTrees(units.map(earlier), { iterations: 3 })));
  assert.deepEqual(units.map(({ flows }) => copyColumns(flows)), columns);
});

test('a busy unit is thinned out evenly; classes without flows are none; nothing at all is refused', () => {
  const [first, second] = units as [LabUnit, LabUnit];
  const trees = fitClassTrees([
    earlier(first), { ...earlier(second), end: 0 }, { ...later(second), className: 'later' },
  ], { flowsMax: 60 });
  assert.deepEqual(trees.classes, [classOf(first), 'later'].sort());
  assert.ok(shareOf(trees, second, 'later') > 0.97);
  assert.throws(() => fitClassTrees([{ ...earlier(first), first: 5, end: 5 }]), /no flows/);
});
