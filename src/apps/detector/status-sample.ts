/** A status with something in every field, for tests of what is made of it. Only tests use this file. */
import { exportProblemCodes } from '#flow';
import type { Pseudonym } from '#base';
import type { DetectorStatus } from './status.ts';

/** What must never be seen in metrics. */
export const sampleAddress = '192.0.2.55';

export const sampleStatus: DetectorStatus = {
  name: 'cabinet-7',
  versions: { natlens: '0.1.0', node: 'v24.0.0' },
  startedMs: Date.UTC(2026, 0, 1),
  uptimeMs: 3 * 86_400_000 + 5 * 3_600_000,
  isDryRun: true,
  health: [{ code: 'classifier-refused', detail: 'One classifier is refused: natlens detect status says why.' }],
  input: {
    udp: {
      datagrams: 1_001, bytes: 1_002, foreignDatagrams: 1_003, socketErrors: 1_004, kernelDrops: 1_005,
      sockets: [{ address: '0.0.0.0', port: 2055, receiveBufferBytes: 4_194_304 },
        { address: '::', port: 2055, receiveBufferBytes: 212_992 }],
    },
    tcp: {
      messages: 1_006, bytes: 1_007, openConnections: 2, connections: 5, ended: { closed: 2, broken: 1 },
      sockets: [{ address: '0.0.0.0', port: 4739 }],
    },
    intake: {
      exports: {
        datagrams: 2_007, bytes: 2_009, skippedDatagrams: 0, records: 2_010, flows: 2_000,
        optionsRecords: 10, otherRecords: 0, templates: 3, withdrawals: 0, flowsPlacedAtExport: 0,
        unexplainedApplications: 0, waiting: { sets: 4, bytes: 400 },
        bytesByFate: { decoded: 1_500, waiting: 400, rejected: 109 },
        rejected: { ...Object.fromEntries(exportProblemCodes.map((code) => [code, 0])), 'cut-set': 6 } as
          DetectorStatus['input']['intake']['exports']['rejected'],
      },
      pairing: {
        records: 2_000, paired: 800, joined: 10, single: 300, alreadyBiflow: 0, waiting: 90, endedForRoom: 1,
        endedForCrowd: 2, clockSteps: 0,
      },
      l7: { named: 1_000, namedUnknown: 100 }, flows: 1_100, dictionaryOverflows: 0,
    },
    exporters: [{
      exporter: 'e-0123456789ab' as Pseudonym, address: sampleAddress, version: 9, domain: 3, datagrams: 2_001,
      records: 2_010, sequenceGaps: 2, lostUnits: 17, unit: 'packets', reordered: 1, duplicates: 4, restarts: 1,
      samplingInterval: 0, templates: 3, waitingSets: 4,
      account: {
        unit: 'packets', sent: 2_014, decoded: 1_990, waiting: 4, lostInKernel: 0, lostOnTheWay: 17,
        lostWhileStopped: 0, limited: 0, undecodable: { 'cut-set': 3 },
        waitingFor: [{ templateId: 300, sinceMs: 1_400, sets: 4, bytes: 400 }],
        lastReceivedMs: 1_500, exportClockSkewMs: -400, clockWarnings: { skewed: false, wrapped: 0 }, flows: 2_000,
      },
    }],
  },
  flows: { ofHomes: 1_090, ofNoHome: { unlisted: 10 }, placedAtArrival: 8, lastMs: 1_500 },
  homes: { known: 12, listed: 20 },
  classifiers: {
    active: [{
      file: 'camera.nlc', deviceModel: 'webcam.D_Link.DCS_933L', classifier: 'ab'.repeat(32), stage: 1,
      decidesBy: 'nothing', fault: 'expired', detail: 'It is out of date.', expiresMs: Date.UTC(2026, 0, 1),
    }],
    refused: [{ file: 'old.nlc', code: 'artifact-damaged', detail: 'Its digest does not fit.' }],
  },
  evidence: { homes: 12, tokens: 340 },
  sketch: { homeDays: 1_200, refused: 3 },
  verdicts: { present: 2, 'not yet': 9 },
  actions: { outbox: { pending: 1, done: 4 }, withheld: { 'dry-run': 3, 'opted-out': 1 } },
  clock: { steps: 1, steppedMs: -3_600_000 },
  checkpointAgeMs: 12_000,
  stateBytes: 1_234_567,
  memory: { residentBytes: 71_000_000 },
  cpuSeconds: 33.25,
  lostLogLines: 0,
};
