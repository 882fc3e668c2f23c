/** Made-up flows of a few devices with labels, for tests of training and of artifacts. The same seed gives the same. */
import { mappedWord, Random } from '#base';
import { createDictionaries, createFlowBatch, type Dictionaries, type FlowBatch, type FlowSetInfo } from '#flow';

export const madeByNatlens: FlowSetInfo = {
  origin: 'natlens meter', l7Source: 'prefix', l7Version: '', activeTimeoutMs: 120_000, idleTimeoutMs: 60_000,
  isBiflow: true,
};

export type MadeFlow = {
  readonly startMs: number;
  readonly device: string;
  readonly deviceModel: string;
  readonly octets: number;
  readonly port: number;
  readonly name: string;
};

/** Flows of one device, a minute apart: MQTT to a cloud, DNS now and then, sizes that vary. */
export function makeFlows(count: number, seed: number, more: Partial<MadeFlow> = {}): MadeFlow[] {
  const random = new Random(seed);
  return Array.from({ length: count }, (_, i) => {
    const isDns = random.chance(0.2);
    return {
      startMs: 1_600_000_000_000 + i * 60_000, device: 'unit-1', deviceModel: 'webcam.Test.One',
      octets: isDns ? 60 + random.integer(0, 10) : 400 + random.integer(0, 600), port: isDns ? 53 : 8_883,
      name: isDns ? 'DNS' : 'MQTT.Cloud', ...more,
    };
  });
}

/** A batch of flows. */
export function batchOf(flows: readonly MadeFlow[], dictionaries: Dictionaries = createDictionaries()): FlowBatch {
  const batch = createFlowBatch(Math.max(1, flows.length), dictionaries);
  const { columns } = batch;
  batch.rowCount = flows.length;
  for (const [row, flow] of flows.entries()) {
    columns.flowStartMilliseconds[row] = flow.startMs;
    columns.flowEndMilliseconds[row] = flow.startMs + 10 * flow.octets;
    columns.ipVersion[row] = 4;
    columns.sourceAddress.set([0, 0, mappedWord, 0xc0a80102], row * 4);
    columns.destinationAddress.set([0, 0, mappedWord, 0x08080808], row * 4);
    columns.sourceTransportPort[row] = 50_000;
    columns.destinationTransportPort[row] = flow.port;
    columns.protocolIdentifier[row] = flow.port === 53 ? 17 : 6;
    columns.tcpControlBits[row] = flow.port === 53 ? 0 : 0x1b;
    columns.initiatorPackets[row] = Math.ceil(flow.octets / 200);
    columns.responderPackets[row] = Math.ceil(flow.octets / 300);
    columns.initiatorOctets[row] = flow.octets;
    columns.responderOctets[row] = Math.floor(flow.octets / 2);
    columns.applicationName[row] = dictionaries.applicationName.encode(flow.name);
    columns.device[row] = dictionaries.device.encode(flow.device);
    columns.device_model[row] = dictionaries.device_model.encode(flow.deviceModel);
  }
  return batch;
}
