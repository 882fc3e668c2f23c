/** Packets to the destination of a flow: which of them count, how many, and what training may look at. */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { makeWorld, unitOf } from '../../../test/support/made-world.ts';
import type { LabUnit } from '../evaluate/lab-flows.ts';
import type { DeviceTrace } from './device-trace.ts';
import { DestinationPackets, learnServiceClasses, serviceOf } from './destination-packets.ts';

const packetsPerFlow = 20;
const https = 6 * 65_536 + 443;

let unit: LabUnit;

before(async () => {
  unit = unitOf(await makeWorld(), 'camera.Test.One');
});

/** Each flow's packets lie in the five seconds before its end, and each is one more than the one before. */
function makeTrace(flows: readonly number[]): DeviceTrace {
  const { flowEndMilliseconds, destinationTransportPort } = unit.flows.columns;
  const packets = flows.flatMap((flow) => Array.from({ length: packetsPerFlow }, (_, i) => ({
    timeMs: (flowEndMilliseconds[flow] as number) - 5_000 + i * 250, flow,
    destination: destinationTransportPort[flow] === 53 ? 2 : 1,
  }))).sort((a, b) => a.timeMs - b.timeMs);
  return {
    timeMs: Float64Array.from(packets, ({ timeMs }) => timeMs), ipId: Uint16Array.from(packets.keys()),
    destination: Uint32Array.from(packets, ({ destination }) => destination),
    name: new Uint32Array(packets.length), flow: Uint32Array.from(packets, ({ flow }) => flow),
  };
}

function rows(): number[] {
  return [...Array(unit.flows.rowCount).keys()];
}

function ofHttps(): number[] {
  return rows().filter((row) => serviceOf(unit, row) === https);
}

test('of the packets of an hour to a flow\'s destination the latest count, and a pause is no step', () => {
  const packets = new DestinationPackets(makeTrace(rows()), unit, 'all');
  const [first, second, , , late] = ofHttps() as [number, number, number, number, number];
  assert.equal(packets.weightsOf(first)?.steps, packetsPerFlow - 1);
  // Flows are six minutes apart.
  assert.equal(packets.weightsOf(second)?.steps, 2 * (packetsPerFlow - 1));
  // 64 packets are three flows and four packets of a fourth.
  assert.equal(packets.weightsOf(late)?.steps, 3 * (packetsPerFlow - 1) + 3);
});

test('of first packets one a flow counts, of the hour before its end alone', () => {
  const packets = new DestinationPackets(makeTrace(rows()), unit, 'first-of-flow');
  const { flowEndMilliseconds } = unit.flows.columns;
  const row = ofHttps().at(-1) as number;
  const endMs = flowEndMilliseconds[row] as number;
  const sentMs = ofHttps().map((flow) => (flowEndMilliseconds[flow] as number) - 5_000)
    .filter((timeMs) => timeMs > endMs - 3_600_000);
  const steps = sentMs.filter((timeMs, i) => i > 0 && timeMs - (sentMs[i - 1] as number) <= 600_000).length;
  assert.ok(steps > 0 && steps < 10);
  assert.equal(packets.weightsOf(row)?.steps, steps);
});

test('a flow of which no packet was kept says nothing', () => {
  const [first, ...others] = ofHttps() as [number, ...number[]];
  assert.equal(new DestinationPackets(makeTrace(others), unit, 'all').weightsOf(first), undefined);
});

test('classes are learned of training flows that show something, by service', () => {
  const { train } = unit.device;
  const trace = makeTrace(rows());
  // Whatever comes after training is all zeros.
  const changed = { ...trace, ipId: trace.ipId.map((id, i) => (trace.flow[i] as number) < train ? id : 0) };
  const learn = (isShown: (row: number) => boolean): unknown => [...learnServiceClasses([
    { unit, packets: new DestinationPackets(changed, unit, 'all'), isShown },
  ])];
  assert.deepEqual(learn((row) => serviceOf(unit, row) === https), [[https, 'counter']]);
  assert.deepEqual(learn(() => false), []);
  assert.deepEqual(learn((row) => row >= train), []);
});
