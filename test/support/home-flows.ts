/** Flows of homes with what classifiers make of them, for tests of evidence: few tokens and buckets, so all meet. */
import fc from 'fast-check';
import { mappedWord } from '#base';
import { EvidenceStore, type EvidenceRows } from '#evidence';
import { createDictionaries, createFlowBatch, type FlowBatch } from '#flow';

export type HomeFlow = {
  readonly home: number;
  readonly endMs: number;
  readonly destination: readonly [number, number, number, number];
  readonly protocol: number;
  /** For ICMP type · 256 + code. */
  readonly port: number;
  readonly octets: number;
  /** Of the responder; none where it is not said. */
  readonly responderOctets?: number;
  /** Of layer 7; none where it is not said. */
  readonly name?: string;
  /** By classifier. */
  readonly accepted: readonly boolean[];
};

/** A flow to 198.51.100.1, port 443, that the only classifier accepts. */
export function flowOf(flow: Partial<HomeFlow> & Pick<HomeFlow, 'endMs'>): HomeFlow {
  return {
    home: 0, destination: [0, 0, mappedWord, 0xc6336401], protocol: 6, port: 443, octets: 1_500, accepted: [true],
    ...flow,
  };
}

/** IPv4, IPv6 of two /48 in one /32, NAT64 to the first, and inside. */
const destinations = [
  [0, 0, mappedWord, 0xc6336401], [0, 0, mappedWord, 0xc6336402], [0, 0, mappedWord, 0xc6336501],
  [0x2001_0db8, 0x0001_0002, 0, 1], [0x2001_0db8, 0x0002_0002, 0, 1], [0x0064_ff9b, 0, 0, 0xc6336407],
  [0, 0, mappedWord, 0xc0a80001],
] as const;

/** Random flows; times are whole buckets and parts of one. */
export function arbitraryHomeFlow(
  { homes, classifiers, bucketMs, buckets }: { homes: number; classifiers: number; bucketMs: number; buckets: number },
): fc.Arbitrary<HomeFlow> {
  return fc.record({
    home: fc.nat({ max: homes - 1 }),
    endMs: fc.tuple(fc.nat({ max: buckets - 1 }), fc.constantFrom(0, 1, Math.floor(bucketMs / 2), bucketMs - 1))
      .map(([bucket, ms]) => 1_000_000 * bucketMs + bucket * bucketMs + ms),
    destination: fc.constantFrom(...destinations),
    protocol: fc.constantFrom(6, 6, 17, 1, 58, 47),
    port: fc.constantFrom(443, 443, 8_883, 49_151, 49_152, 65_535),
    octets: fc.constantFrom(0, 1, 2, 1_023, 1_024, 2 ** 32 - 1, 2 ** 32, 2 ** 49 - 1, 2 ** 53),
    accepted: fc.array(fc.boolean(), { minLength: classifiers, maxLength: classifiers }),
  });
}

/** The flows as a batch, and as rows of a store where each home is interned under `nameOf`. */
export function rowsOf(
  flows: readonly HomeFlow[], classifiers: number, indexOf: (home: number) => number = (home) => home,
): { batch: FlowBatch; rows: EvidenceRows } {
  const batch = createFlowBatch(Math.max(1, flows.length), createDictionaries());
  const { columns } = batch;
  batch.rowCount = flows.length;
  const rows: EvidenceRows = {
    homes: new Uint32Array(batch.capacity).fill(EvidenceStore.noHome), endMs: columns.flowEndMilliseconds,
    isAccepted: Array.from({ length: classifiers }, () => new Uint8Array(batch.capacity)),
  };
  for (const [row, flow] of flows.entries()) {
    rows.homes[row] = indexOf(flow.home);
    columns.flowStartMilliseconds[row] = flow.endMs;
    columns.flowEndMilliseconds[row] = flow.endMs;
    columns.sourceAddress.set([0, 0, mappedWord, 0xc0a80102], row * 4);
    columns.destinationAddress.set(flow.destination, row * 4);
    columns.protocolIdentifier[row] = flow.protocol;
    columns.destinationTransportPort[row] = flow.port;
    columns.icmpTypeCodeIPv4[row] = flow.port;
    columns.icmpTypeCodeIPv6[row] = flow.port;
    columns.initiatorOctets[row] = flow.octets;
    columns.responderOctets[row] = flow.responderOctets ?? 0;
    columns.applicationName[row] = batch.dictionaries.applicationName.encode(flow.name ?? '');
    for (const [i, isAccepted] of rows.isAccepted.entries()) isAccepted[row] = flow.accepted[i] === true ? 1 : 0;
  }
  return { batch, rows };
}

/** Flows in an order of arrival in which none comes later than `delayMs` behind its time. */
export function arriveLate(flows: readonly HomeFlow[], delays: readonly number[], delayMs: number): HomeFlow[] {
  return flows.map((flow, i) => ({ flow, atMs: flow.endMs + (delays[i % delays.length] ?? 0) * delayMs }))
    .sort((a, b) => a.atMs - b.atMs).map(({ flow }) => flow);
}
