/** The status of a detector as tables for people; `--json` prints the data itself. */
import { formatBytes, formatCount, formatDuration, formatTable, plainLine } from '#base';
import { formatPlace } from '#capture/listen';
import { formatMinute } from './describe-fault.ts';
import type { DetectorStatus, NamedCounts } from './status.ts';

/** Exporters shown; the others are counted. */
const exportersShown = 20;

export function formatStatus(status: DetectorStatus): string {
  return [
    formatHead(status), formatHealth(status), formatInput(status), formatExporters(status), formatClassifiers(status),
    formatFindings(status),
  ].filter((part) => part !== '').join('\n\n');
}

function formatHead({ name, versions, uptimeMs, isDryRun, memory, cpuSeconds, stateBytes, checkpointAgeMs, clock }:
  DetectorStatus): string {
  const dry = isDryRun ? ', DRY RUN: actions are planned and audited, none is executed' : '';
  const written = checkpointAgeMs === null ? 'not yet written' : `written ${formatDuration(checkpointAgeMs)} ago`;
  const steps = clock.steps === 0 ? '' : `; steps of the clock: ${formatCount(clock.steps)}`;
  return `Detector ${name}, natlens ${versions.natlens} on Node ${versions.node}${dry}\n` +
    `up ${formatSpan(uptimeMs)}, ${formatBytes(memory.residentBytes)} resident, ` +
    `${formatSpan(cpuSeconds * 1_000)} of CPU, state of ${formatBytes(stateBytes)} ${written}${steps}`;
}

function formatHealth({ health }: DetectorStatus): string {
  if (health.length === 0) return 'healthy';
  return ['NOT HEALTHY', ...health.map(({ code, detail }) => `  ${code}: ${detail}`)].join('\n');
}

function formatInput({ input, flows }: DetectorStatus): string {
  const { udp, tcp, intake } = input;
  const { exports, pairing } = intake;
  const rows: [string, number | undefined, string][] = [
    ['datagrams by UDP', udp.datagrams, udp.sockets.map(formatPlace).join(', ')],
    ['  dropped by the kernel', udp.kernelDrops, udp.kernelDrops === undefined ? 'not known on this system' : ''],
    ['  from strangers', udp.foreignDatagrams, ''],
    ['messages by TCP', tcp.messages, [`${formatCount(tcp.openConnections)} connections open`,
      ...list(tcp.ended, 'ended')].join('; ')],
    ['records', exports.records, list(exports.rejected, 'rejected').join('')],
    ['  sets that wait for a template', exports.waiting.sets, formatBytes(exports.waiting.bytes)],
    ...(pairing === null ? [] : [
      ['  joined to biflows', 2 * pairing.paired + pairing.joined, `${formatCount(pairing.waiting)} wait`],
    ] as [string, number, string][]),
    ['flows', intake.flows, flows.lastMs === null ? 'none came yet' : `the last ${formatSpan(flows.lastMs)} ago`],
    ['  of homes', flows.ofHomes, ''],
    ['  of none', sum(flows.ofNoHome), list(flows.ofNoHome, '').join('')],
    ['  with a clock that is off', flows.placedAtArrival, ''],
  ];
  return formatTable(['input', 'count', ''],
    rows.filter(([name, count]) => !name.startsWith('  ') || count !== 0)
      .map(([name, count, more]) => [name, count === undefined ? '-' : formatCount(count), more]));
}

function formatExporters({ input }: DetectorStatus): string {
  const rows = input.exporters.slice(0, exportersShown).map((each) => [
    each.address, each.exporter, `v${each.version}`, String(each.domain), formatCount(each.records),
    `${formatCount(each.lostUnits)} ${each.unit}`, formatCount(each.reordered), formatCount(each.duplicates),
    formatCount(each.restarts), formatCount(each.waitingSets),
  ]);
  if (rows.length === 0) return '';
  const more = input.exporters.length - rows.length;
  return formatTable(['exporter', 'in logs and metrics', 'version', 'domain', 'records', 'lost', 'late', 'copies',
    'restarts', 'waiting'], rows) + (more > 0 ? `\n… and ${formatCount(more)} more` : '');
}

function formatClassifiers({ classifiers: { active, refused } }: DetectorStatus): string {
  const rows = active.map((each) =>
    [each.deviceModel, each.file, each.classifier.slice(0, 12), describeDecision(each)]);
  const faults = active.filter(({ stage, fault }) => stage === 1 && fault !== null && fault !== 'not-calibrated');
  const uncalibrated = active.filter(({ stage, fault }) => stage === 1 && fault === 'not-calibrated');
  return [
    rows.length === 0 ? 'no classifier is active' : formatTable(['device model', 'file', 'digest', ''], rows),
    ...faults.map(({ deviceModel, fault, detail }) => `UNFIT ${plainLine(deviceModel)} (${fault}): ${detail}`),
    ...(uncalibrated.length === 0 ? []
      : [`not calibrated: ${formatCount(uncalibrated.length)}. ${uncalibrated[0]?.detail ?? ''}`]),
    ...refused.map(({ file, code, detail }) => `REFUSED ${plainLine(file)} (${code}): ${plainLine(detail)}`),
  ].join('\n');
}

function describeDecision({ stage, decidesBy, fault, expiresMs }: DetectorStatus['classifiers']['active'][number]):
string {
  const who = stage === 1 ? '' : 'second opinion: ';
  if (decidesBy === 'nothing') return `${who}UNFIT (${fault ?? ''})`;
  if (decidesBy === 'calibration') return `${who}calibrated until ${formatMinute(expiresMs ?? NaN)}`;
  const how = decidesBy === 'single-flow' ? 'decides by one flow' : 'decides by distinct tokens';
  return `${who}${how}${fault === null ? '' : ', not calibrated'}`;
}

function formatFindings({ homes, verdicts, evidence, actions, sketch }: DetectorStatus): string {
  const rows: [string, string][] = [
    ['homes', `${formatCount(homes.known)} with evidence, ${formatCount(homes.listed)} named by the config`],
    ['evidence', list(evidence, '').join('') || '-'],
    ['verdicts', list(verdicts, '').join('') || '-'],
    ['field sketch', sketch.homeDays === 0 ? '-' : `${formatCount(sketch.homeDays)} home-days since the start`],
    ['actions', list(actions.outbox, '').join('') || '-'],
    ['withheld', list(actions.withheld, '').join('') || '-'],
  ];
  return formatTable(['findings', ''], rows);
}

/** `rejected 3 cut-set, 1 duplicate`; nothing when all are zero. */
function list(counts: NamedCounts, verb: string): string[] {
  const named = Object.entries(counts).filter(([, count]) => count !== undefined && count > 0)
    .map(([name, count]) => `${formatCount(count ?? 0)} ${name}`);
  return named.length === 0 ? [] : [`${verb} ${named.join(', ')}`.trim()];
}

function sum(counts: NamedCounts): number {
  return Object.values(counts).reduce<number>((total, count) => total + (count ?? 0), 0);
}

/** Long times in days and hours. */
function formatSpan(milliseconds: number): string {
  const hours = Math.floor(milliseconds / 3_600_000);
  if (hours < 2) return formatDuration(milliseconds);
  return hours < 48 ? `${hours} h` : `${Math.floor(hours / 24)} days ${hours % 24} h`;
}
