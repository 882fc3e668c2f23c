/** What decoding exports counted, for people: one line in all, and a table of the exporters. */
import { formatBytes, formatCount, formatTable } from '#base';
import { customaryExportPorts } from '#capture';
import type { ExportCounts, FlowPairerCounts } from '#flow';

/** Exporters in the table; a provider's collector may hear thousands. */
const exportersShownMax = 20;

/** Lines about the exports of a run. */
export function formatExports(counts: ExportCounts): string[] {
  if (counts.datagrams === 0) {
    return [`no exports: none of the UDP ports ${customaryExportPorts.join(', ')} got any; ` +
      'name another one with --export-port'];
  }
  const lines = [`${formatCount(counts.datagrams)} datagrams, ${formatBytes(counts.bytes)}: ` +
    `${formatCount(counts.records)} data records, of them ${formatCount(counts.flows)} flows and ` +
    `${formatCount(counts.optionsRecords)} of options; ${formatCount(counts.templates)} templates`];
  if (counts.waiting.sets > 0) {
    lines.push(`${formatCount(counts.waiting.sets)} data sets (${formatBytes(counts.waiting.bytes)}) ` +
      'wait for their template');
  }
  const rejected = Object.entries(counts.rejected).filter(([, count]) => count > 0);
  if (rejected.length > 0) {
    lines.push(`rejected of exports: ${rejected.map(([code, count]) => `${formatCount(count)} ${code}`).join(', ')} ` +
      `(${formatBytes(counts.bytesByFate.rejected)})`);
  }
  if (counts.flowsPlacedAtExport > 0) {
    lines.push(`${formatCount(counts.flowsPlacedAtExport)} flows have uptimes that fit no start of their exporter: ` +
      'they were placed at the time of export');
  }
  const shown = counts.exporters.slice(0, exportersShownMax);
  if (shown.length > 0) {
    lines.push('', formatTable(
      ['exporter', 'version', 'domain', 'datagrams', 'records', 'gaps', 'lost', 'sampling', 'templates', 'waiting'],
      shown.map((domain) => [
        domain.exporter, domain.version === 10 ? 'IPFIX' : `v${domain.version}`, String(domain.domain),
        formatCount(domain.datagrams), formatCount(domain.records), formatCount(domain.sequenceGaps),
        domain.lostUnits === 0 ? '0' : `${formatCount(domain.lostUnits)} ${domain.unit}`,
        domain.samplingInterval === 0 ? '-' : `1:${formatCount(domain.samplingInterval)}`,
        formatCount(domain.templates), formatCount(domain.waitingSets),
      ])));
  }
  if (counts.exporters.length > shown.length) {
    lines.push(`and ${formatCount(counts.exporters.length - shown.length)} more exporters (--json has them all)`);
  }
  return lines;
}

/** A line about the joining of one-way records. */
export function formatPairing(counts: FlowPairerCounts): string {
  const parts = [`${formatCount(counts.records)} records joined: ${formatCount(counts.paired)} pairs`];
  if (counts.joined > 0) parts.push(`${formatCount(counts.joined)} further slices`);
  if (counts.alreadyBiflow > 0) parts.push(`${formatCount(counts.alreadyBiflow)} were biflows`);
  parts.push(`${formatCount(counts.single)} stay single`);
  const early = counts.endedForRoom + counts.endedForCrowd;
  if (early > 0) parts.push(`${formatCount(early)} decided early because too many waited`);
  return parts.join(', ');
}
