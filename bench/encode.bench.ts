/**
 * Flow columns to NetFlow v9 and IPFIX datagrams: records per CPU second. No peer encodes from files: ours is stated.
 */
import { cpuSeconds, Random } from '../src/base/index.ts';
import { createFlowBatch, FlowEncoder, type FlowBatch } from '../src/pipeline/2-flow/index.ts';
import { median, type Bench } from './bench.ts';

const rows = 4_096;
const warmUpRounds = 200;
const rounds = 1_500;
const runs = 3;
const names = ['DNS', 'NTP', 'TLS.Amazon', 'QUIC.Google', 'MQTT.Cloudflare'];

export const encodeBench: Bench = {
  name: 'encode',
  description: 'flow columns to NetFlow v9 and IPFIX datagrams',
  run: (say) => {
    const batch = makeFlows();
    const notes = ([9, 10] as const).map((version) => {
      const rates = Array.from({ length: runs }, (_, run) => {
        say(`version ${version}, run ${run + 1} of ${runs}`);
        return measure(version, batch);
      });
      const name = version === 9 ? 'NetFlow v9' : 'IPFIX';
      return `${name}: ${Math.round(median(rates)).toLocaleString('en-US')} records/CPU s (median of ${runs})`;
    });
    return Promise.resolve({ rows: [], notes });
  },
};

/** Biflows as homes have them: mostly IPv4, with link addresses, in runs of one template. */
function makeFlows(): FlowBatch {
  const random = new Random(1);
  const batch = createFlowBatch(rows);
  batch.rowCount = rows;
  const { columns, dictionaries } = batch;
  for (let row = 0; row < rows; row++) {
    const isIPv6 = row % 64 >= 48;
    const prefix = isIPv6 ? [0x20010db8, random.uint32(), random.uint32()] : [0, 0, 0xffff];
    columns.sourceAddress.set([...prefix, random.uint32()], row * 4);
    columns.destinationAddress.set([...prefix, random.uint32()], row * 4);
    columns.sourceMacAddress.set([0x0200, random.uint32()], row * 2);
    columns.ipVersion[row] = isIPv6 ? 6 : 4;
    columns.flowStartMilliseconds[row] = 1_600_000_000_000 + random.integer(0, 1e6);
    columns.flowEndMilliseconds[row] = 1_600_001_000_000 + random.integer(0, 1e6);
    columns.sourceTransportPort[row] = random.uint32();
    columns.destinationTransportPort[row] = 443;
    columns.protocolIdentifier[row] = 6;
    columns.initiatorOctets[row] = random.integer(40, 1e6);
    columns.responderOctets[row] = random.integer(40, 1e9);
    columns.initiatorPackets[row] = random.integer(1, 1e3);
    columns.responderPackets[row] = random.integer(1, 1e6);
    columns.applicationName[row] = dictionaries.applicationName.encode(random.pick(names));
  }
  return batch;
}

function measure(version: 9 | 10, batch: FlowBatch): number {
  let sink = 0;
  const encoder = new FlowEncoder({ version }, (datagram) => {
    sink ^= datagram[datagram.length - 5] as number;
  });
  for (let round = 0; round < warmUpRounds; round++) encoder.encode(batch, 1e12);
  const before = encoder.counts().records;
  const startSeconds = cpuSeconds();
  for (let round = 0; round < rounds; round++) encoder.encode(batch, 1e12);
  const seconds = cpuSeconds() - startSeconds;
  const records = encoder.counts().records - before;
  if (records < rows * (rounds - 1) || sink < 0) throw new Error(`${records} records were encoded`);
  return records / seconds;
}
