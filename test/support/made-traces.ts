/**
 * Packets for the flows of a made-up lab (`made-world.ts`), in memory: before each flow questions to the resolver at
 * home, and one packet of the flow. Device models ask for names of their own, siblings for one of their maker's
 * besides, and all for the time.
 */
import { noFlow, type DeviceTrace, type TraceTexts } from '../../src/lab/baseline/device-trace.ts';
import { createWorldTraces } from '../../src/lab/baseline/world-traces.ts';
import type { LabUnit } from '../../src/lab/evaluate/lab-flows.ts';
import type { LabWorld } from '../../src/lab/homes/lab-world.ts';

/** How long before a flow its first question is asked. */
const leadMs = 2_000;
const [resolver, timeServer] = ['192.168.1.1', '0.pool.ntp.org'];

/** The same world, with packets. */
export function addTraces(world: LabWorld): LabWorld & { readonly traces: NonNullable<LabWorld['traces']> } {
  const [names, destinations] = [new Map([['', 0]]), new Map([['', 0]])];
  const units = world.units.map(({ unit }) => unit);
  const traces = new Map(units.map((unit) => [unit.device.device, makeTrace(unit, { names, destinations })]));
  const texts: TraceTexts = { names: [...names.keys()], destinations: [...destinations.keys()] };
  return { ...world, traces: createWorldTraces(texts, traces) };
}

/** Names that a unit asks for before each flow, a millisecond apart. */
export function namesAskedBy({ device: { device, deviceModel, kind } }: Pick<LabUnit, 'device'>): readonly string[] {
  if (kind === 'non-iot') return [`www.${device}.org`, 'www.page.org', timeServer];
  const [type, make, version] = deviceModel.toLowerCase().split('.');
  return [
    ...['hub', 'log', 'stun'].map((host) => `${host}.${type}-${version}.${make}cloud.com`), `all.${make}cloud.com`,
    timeServer,
  ];
}

type Codes = { readonly names: Map<string, number>; readonly destinations: Map<string, number> };

function makeTrace(unit: LabUnit, { names, destinations }: Codes): DeviceTrace {
  const { flows: { columns, rowCount } } = unit;
  const asked = namesAskedBy(unit);
  const packets = Array.from({ length: rowCount }, (_, row) => row).flatMap((row) => {
    const startMs = columns.flowStartMilliseconds[row] as number;
    const destination = [...columns.destinationAddress.subarray(row * 4, row * 4 + 4)].join('.');
    return [
      ...asked.map((name, i) => ({ timeMs: startMs - leadMs + i, to: resolver, name, flow: noFlow })),
      { timeMs: startMs, to: destination, name: '', flow: row },
    ];
  }).sort((a, b) => a.timeMs - b.timeMs);
  return {
    timeMs: Float64Array.from(packets, ({ timeMs }) => timeMs),
    ipId: Uint16Array.from(packets.keys()),
    destination: Uint32Array.from(packets, ({ to }) => codeOf(to, destinations)),
    name: Uint32Array.from(packets, ({ name }) => codeOf(name, names)),
    flow: Uint32Array.from(packets, ({ flow }) => flow),
  };
}

function codeOf(text: string, codes: Map<string, number>): number {
  const code = codes.get(text) ?? codes.size;
  codes.set(text, code);
  return code;
}
