/** Flows of a few words for tests of fingerprints: who, when, to whom, how much. */
import { parseAddress } from '#base';
import { createDictionaries, createFlowBatch, type Dictionaries, type FlowBatch } from '#flow';

export type TokenFlow = {
  readonly device?: string;
  readonly deviceModel?: string;
  /** Hour in which it ends, and minute of it. */
  readonly hour: number;
  readonly minute?: number;
  readonly to?: string;
  readonly port?: number;
  readonly name?: string;
  /** Octets of the initiator and of the responder. */
  readonly octets?: readonly [number, number];
};

export const tokenFlowDefaults = {
  device: 'unit-1', deviceModel: 'hub.Test.One', minute: 10, to: '198.51.100.7', port: 8_883, name: 'MQTT.Cloud',
  octets: [222, 142],
} as const;

const firstHour = 450_000;

/** A batch of the flows, in their order. */
export function batchOfTokenFlows(
  flows: readonly TokenFlow[], dictionaries: Dictionaries = createDictionaries(),
): FlowBatch {
  const batch = createFlowBatch(Math.max(1, flows.length), dictionaries);
  batch.rowCount = flows.length;
  const { columns } = batch;
  for (const [row, given] of flows.entries()) {
    const flow = { ...tokenFlowDefaults, ...given };
    const endMs = (firstHour + flow.hour) * 3_600_000 + flow.minute * 60_000;
    columns.flowStartMilliseconds[row] = endMs - 1_000;
    columns.flowEndMilliseconds[row] = endMs;
    columns.ipVersion[row] = flow.to.includes(':') ? 6 : 4;
    columns.sourceAddress.set(parseAddress('192.168.1.2') ?? [], row * 4);
    columns.destinationAddress.set(parseAddress(flow.to) ?? [], row * 4);
    columns.sourceTransportPort[row] = 50_000;
    columns.destinationTransportPort[row] = flow.port;
    columns.protocolIdentifier[row] = flow.port === 53 ? 17 : 6;
    columns.initiatorOctets[row] = flow.octets[0];
    columns.responderOctets[row] = flow.octets[1];
    columns.initiatorPackets[row] = Math.ceil(flow.octets[0] / 500);
    columns.responderPackets[row] = Math.ceil(flow.octets[1] / 500);
    columns.applicationName[row] = dictionaries.applicationName.encode(flow.name);
    columns.device[row] = dictionaries.device.encode(flow.device);
    columns.device_model[row] = dictionaries.device_model.encode(flow.deviceModel);
  }
  return batch;
}
