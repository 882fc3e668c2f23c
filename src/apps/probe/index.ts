/** The door of `apps/probe`: for the command, which opens what a probe reads and hands its flows on. */
export { openExport, type ExportOptions, type ExportOutlet, type ExportOutletCounts } from './export-outlet.ts';
export { FileSource, type FileSourceOptions } from './file-source.ts';
export { LiveSource } from './live-source.ts';
export type { PacketSource, SourceCounts } from './packet-source.ts';
export { Probe, type ProbeCounts, type ProbeOptions, type ProbeParts } from './probe.ts';
export { createProbeHealth } from './probe-health.ts';
export { formatProbe, ProbeWatch, type ProbeStatus } from './probe-status.ts';
export {
  describeMissingRight, giveUpRights, readThreadRights, takeHandedSocket, type ThreadRights,
} from './process-rights.ts';
