/** A status with something in every field, for tests of what is made of it. Only tests use this file. */
import { exportProblemCodes, type DomainCounts } from '#flow';
import type { CollectorStatus, DomainStatus } from './status.ts';

export const sampleNowMs: number = Date.UTC(2026, 0, 5, 14, 20);

export type DomainChanges = Partial<Omit<DomainStatus, 'account'>> & {
  readonly account?: Partial<DomainCounts['account']>;
};

/** A line of the table. @param more  what differs from one that lost nothing */
export function sampleDomain({ account, ...more }: DomainChanges = {}): DomainStatus {
  return {
    exporter: '192.0.2.7', version: 9, domain: 0, datagrams: 1_000, records: 38_000, sequenceGaps: 0, lostUnits: 0,
    unit: 'packets', reordered: 0, duplicates: 0, restarts: 0, samplingInterval: 0, templates: 2, waitingSets: 0,
    unitsPerSecond: 12.5, lossShare: 0, ...more,
    account: {
      unit: 'packets', sent: 1_000, decoded: 1_000, waiting: 0, lostInKernel: 0, lostOnTheWay: 0, lostWhileStopped: 0,
      limited: 0, undecodable: {}, waitingFor: [], lastReceivedMs: sampleNowMs - 500, exportClockSkewMs: -300,
      clockWarnings: { skewed: false, wrapped: 0 }, flows: 38_000, ...account,
    },
  };
}

export const sampleStatus: CollectorStatus = {
  versions: { natlens: '0.1.0', node: 'v24.0.0' }, startedMs: sampleNowMs - 3 * 86_400_000, uptimeMs: 3 * 86_400_000,
  nowMs: sampleNowMs, health: [], sentences: [],
  input: {
    receiver: {
      kind: 'recvmmsg', datagrams: 101, bytes: 102, cutDatagrams: 0, kernelDrops: 103, ringDrops: 104,
      ringBytesUsedMax: 105, ringBytes: 106, socketErrors: 0,
    },
    fallBackReason: null,
    tcp: { messages: 107, bytes: 108, openConnections: 2, connections: 5, ended: { closed: 2, untrusted: 1 } },
    sockets: [
      { transport: 'udp', address: '0.0.0.0', port: 2055, receiveBufferBytes: 33_554_432, askedBytes: 33_554_432 },
      { transport: 'tls', address: '::', port: 4740, receiveBufferBytes: null, askedBytes: null },
    ],
    senders: { known: 3, taken: 90, limited: 0, foreign: 0, unlistedDatagrams: 0, limitedMost: [] },
  },
  exports: {
    datagrams: 201, bytes: 202, records: 203, flows: 204, optionsRecords: 0, otherRecords: 0, templates: 3,
    withdrawals: 0, flowsPlacedAtExport: 0, unexplainedApplications: 0, waiting: { sets: 4, bytes: 400 },
    skippedDatagrams: 0, bytesByFate: { decoded: 150, waiting: 40, rejected: 12 },
    rejected: Object.fromEntries(exportProblemCodes.map((code) => [code, 0])) as
      CollectorStatus['exports']['rejected'],
  },
  domains: [
    sampleDomain(),
    sampleDomain({
      exporter: '2001:db8::9', version: 10, domain: 3, unit: 'records', lossShare: 0.0004, unitsPerSecond: 1_020,
      account: { unit: 'records', sent: 2_000_000, decoded: 1_999_200, lostOnTheWay: 800, flows: 1_999_200 },
    }),
  ],
  flows: [
    { exporter: '192.0.2.7', domain: 0, rows: 38_000, stored: 37_000, open: 1_000, notStored: 0 },
    { exporter: '2001:db8::9', domain: 3, rows: 1_999_200, stored: 1_999_200, open: 0, notStored: 0 },
  ],
  pairing: null, pairingLostByKill: 0, l7: {},
  output: {
    folder: '/var/lib/natlens-collector/flows', files: 12, rows: 2_037_200, bytes: 61_000_000, waitingRows: 100,
    failedRows: 0, isFailing: false, lastError: null, deletedFiles: 1, leftOver: [],
  },
  forward: [{ to: '192.0.2.99:2055', datagrams: 301, bytes: 302, dropped: 0, tooLarge: 0, failed: 0, lastError: null }],
  detector: null,
  state: { path: '/var/lib/natlens-collector/collector.state', bytes: 401, ageMs: 12_000, fault: null,
    restored: 'restored' },
  memory: { residentBytes: 212_000_000 }, cpuSeconds: 33.5, lostLogLines: 0,
};
