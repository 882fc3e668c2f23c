/**
 * What our own encoder sends, held byte for byte: a change of what we put on the wire shows here. The rows are written
 * by hand and must come back; cases from other hands see to it that encoder and decoder do not err alike.
 */
import { parseAddress, parseMac } from '#base';
import { createFlowBatch, type Dictionaries, FlowEncoder, type FlowBatch, schema } from '#flow';
import { startMs } from '../frames.ts';
import { cellsOf, type ExpectedRecord, type ExportCaseSpec, type Sent } from './case.ts';

/** Every column that is sent, in every layout that the encoder has: both families, with and without ICMP. */
const flows: readonly ExpectedRecord[] = [
  {
    from: '192.168.1.10', to: '203.0.113.5', ms: [-5000, -1], protocol: 6, ports: [50_000, 443], packets: [12, 10],
    octets: [3456, 5_000_000_000], name: 'TLS.Amazon',
    more: {
      tcpControlBits: 0x1b, reverseTcpControlBits: 0x13, ipClassOfService: 0x20, reverseIpClassOfService: 0x48,
      flowEndReason: 3, ingressInterface: 3, egressInterface: 4, vlanId: 101, sourceMacAddress: '02:42:ac:11:00:0a',
      destinationMacAddress: '02:00:00:00:00:01',
    },
  },
  {
    from: 'fd00::10', to: '2001:db8::5', ms: [-70_000, -10_000], protocol: 17, ports: [40_000, 53], packets: [1, 1],
    octets: [80, 240], name: 'DNS', more: { flowEndReason: 1 },
  },
  {
    from: '192.168.1.11', to: '192.168.1.1', ms: [-400, -300], protocol: 1, packets: [2, 2], octets: [168, 168],
    name: 'ICMP', more: { icmpTypeCodeIPv4: 0x0800, flowEndReason: 1 },
  },
  {
    from: 'fd00::11', to: 'fd00::1', ms: [-40, -30], protocol: 58, packets: 1, octets: 72,
    more: { icmpTypeCodeIPv6: 0x8700, flowEndReason: 4 },
  },
  {
    from: '192.168.1.12', to: '224.0.0.251', ms: [-20, -20], protocol: 17, ports: [5353, 5353], packets: 1, octets: 186,
    name: 'MDNS', more: { flowEndReason: 4 },
  },
];
const rows: readonly ExpectedRecord[] = flows.map((flow) => ({ ...flow, domain: 77 }));

function batchOf(records: readonly ExpectedRecord[]): FlowBatch {
  const batch = createFlowBatch(records.length);
  batch.rowCount = records.length;
  for (const [i, record] of records.entries()) {
    const cells = cellsOf(record, true);
    for (const { name, storage } of schema) {
      const cell = cells[name];
      if (cell === undefined || cell === '') continue;
      if (storage === 'address') batch.columns[name].set(parseAddress(String(cell)) ?? [], i * 4);
      else if (storage === 'mac') batch.columns[name].set(parseMac(String(cell)) ?? [], i * 2);
      else if (storage !== 'dictionary') batch.columns[name][i] = Number(cell);
      else batch.columns[name][i] = batch.dictionaries[name as keyof Dictionaries].encode(String(cell));
    }
  }
  return batch;
}

/** Two messages: the first three rows, then the others with the templates anew. */
function encode(version: 9 | 10): Sent[] {
  const sent: Sent[] = [];
  const encoder = new FlowEncoder({ version, domain: 77, templateEveryDatagrams: 1 },
    (datagram) => void sent.push({ bytes: datagram.slice() }));
  const batch = batchOf(rows);
  encoder.encode(batch, startMs, 0, 3);
  encoder.flush(startMs);
  encoder.encode(batch, startMs, 3);
  encoder.flush(startMs);
  return sent;
}

const templatesSent = 4;

export const encodedCases: readonly ExportCaseSpec[] = [
  {
    name: 'natlens-v9',
    sent: encode(9),
    rows,
    counts: { templates: 2 * templatesSent },
    domains: [{ version: 9, domain: 77, templates: templatesSent }],
    why: [
      'What natlens export sends as NetFlow v9: biflows, ntop\'s name, link addresses, in two packets with templates in each.',
      'RFC 3954; made by src/pipeline/2-flow/encode from the rows of export-cases/encoded.ts.',
    ],
  },
  {
    name: 'natlens-ipfix',
    kind: 'ipfix',
    sent: encode(10),
    rows,
    counts: { templates: 2 * templatesSent },
    domains: [{ version: 10, domain: 77, templates: templatesSent }],
    why: [
      'What natlens flows -o FILE.ipfix writes: biflows with reverse elements, ntop\'s name, in two messages.',
      'RFC 7011, RFC 5103, RFC 5655; made by src/pipeline/2-flow/encode from the rows of export-cases/encoded.ts.',
    ],
  },
];
