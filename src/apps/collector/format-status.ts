/** The status of a collector as an operator reads it in ten seconds; `--json` prints the data itself. */
import { formatBytes, formatCount, formatDuration, formatTable } from '#base';
import { formatPlace } from '#capture/listen';
import { formatShare, formatSpan, protocolName } from './describe-troubles.ts';
import type { CollectorStatus, DomainStatus } from './status.ts';

/** Lines of the table; the exporters that sent least are counted. */
const domainsShown = 40;
/** Sentences below it. */
const sentencesShown = 20;

export function formatCollectorStatus(status: CollectorStatus): string {
  return [formatHead(status), formatInput(status), formatDomains(status), formatOutput(status), formatSentences(status)]
    .filter((part) => part !== '').join('\n\n');
}

function formatHead({ versions, uptimeMs, memory, cpuSeconds, health, state }: CollectorStatus): string {
  const saved = state.ageMs === null ? 'not yet saved' : `saved ${formatDuration(state.ageMs)} ago`;
  return [`Collector, natlens ${versions.natlens} on Node ${versions.node}, up ${formatSpan(uptimeMs)}, ` +
    `${formatBytes(memory.residentBytes)} resident, ${formatSpan(cpuSeconds * 1_000)} of CPU, state ${saved}`,
  health.length === 0 ? 'healthy' : `NOT HEALTHY: ${health.map(({ code }) => code).join(', ')}`].join('\n');
}

function formatInput({ input }: CollectorStatus): string {
  const { receiver, tcp, senders, sockets } = input;
  const places = sockets.map((socket) => `${socket.transport}://${formatPlace(socket)}${
    socket.receiveBufferBytes === null ? '' : ` (buffer ${formatBytes(socket.receiveBufferBytes)})`}`);
  const parts = [
    ...(receiver === null ? [] : [`${formatCount(receiver.datagrams)} datagrams by ${receiver.kind}`,
      `${receiver.kernelDrops === undefined ? 'an unknown number' : formatCount(receiver.kernelDrops)
      } dropped by the kernel`, ...some(receiver.ringDrops, 'by our own memory'),
      ...some(receiver.cutDatagrams, 'cut')]),
    ...(sockets.some(({ transport }) => transport !== 'udp') ? [`${formatCount(tcp.messages)} messages over ${
      formatCount(tcp.openConnections)} connections`] : []),
    ...some(senders.limited, 'limited'), ...some(senders.foreign, 'of strangers'),
  ];
  return `listens at ${places.join(', ')}\n${parts.join(', ')}`;
}

const some = (count: number, what: string): string[] => count === 0 ? [] : [`${formatCount(count)} ${what}`];

/** What a unit is called in a narrow column. */
const unitNames = { flows: 'flows', packets: 'msgs', records: 'recs' } as const;

function formatDomains({ domains, flows, nowMs, output }: CollectorStatus): string {
  if (domains.length === 0) return 'no exporter has been heard';
  const shown = [...domains].sort((a, b) => b.account.sent - a.account.sent).slice(0, domainsShown);
  const accounts = new Map(flows.map((account) => [`${account.exporter}/${account.domain}`, account]));
  const rows = shown.map((domain) => {
    const { account, exporter } = domain;
    const key = `${exporter}/${domain.domain}`;
    const rowsOf = accounts.get(key);
    // Rows are of all versions of an exporter and domain together: they stand in the first of its lines.
    accounts.delete(key);
    const notDecoded = Object.values(account.undecodable).reduce((sum, units) => sum + (units ?? 0), 0);
    return [
      exporter, protocolName(domain.version), String(domain.domain), formatTimeAgo(nowMs - account.lastReceivedMs),
      domain.unitsPerSecond === null ? '-' : formatRate(domain.unitsPerSecond), unitNames[domain.unit],
      ...[account.sent, account.decoded, account.lostInKernel, account.lostOnTheWay, account.lostWhileStopped,
        account.limited, notDecoded, account.waiting].map(formatCount),
      formatShare(domain.lossShare), formatCount(account.flows),
      ...(output === null ? [] : [rowsOf === undefined ? '' : formatCount(rowsOf.notStored)]), formatFlags(domain),
    ];
  });
  const heading = ['exporter', 'proto', 'domain', 'heard', 'per s', 'unit', 'sent', '= decoded', '+ kernel', '+ way',
    '+ stopped', '+ limited', '+ bad', '+ waiting', 'loss', 'flows', ...(output === null ? [] : ['not stored']), ''];
  // A column in which nothing is would only push the others off the screen.
  const isEmpty = (column: number): boolean => /^\+ |^not stored$/.test(heading[column] ?? '') &&
    rows.every((cells) => cells[column] === '0' || cells[column] === '');
  const columns = heading.map((_, i) => i).filter((i) => !isEmpty(i));
  const pick = (cells: readonly string[]): string[] => columns.map((i) => cells[i] ?? '');
  const more = domains.length - shown.length;
  return formatTable(pick(heading), rows.map(pick)) + (more > 0 ? `\n… and ${formatCount(more)} more` : '');
}

/** What stands out of an exporter. */
function formatFlags({ account, samplingInterval, restarts, duplicates }: DomainStatus): string {
  const { exportClockSkewMs: skewMs = 0, clockWarnings: { skewed, wrapped } } = account;
  return [
    ...(samplingInterval > 1 ? [`1:${samplingInterval}`] : []),
    ...(skewed ? [`CLOCK ${skewMs > 0 ? '+' : '-'}${formatSpan(Math.abs(skewMs))}`] : []),
    ...(wrapped > 0 ? ['uptime wrapped'] : []), ...some(restarts, 'restarts'), ...some(duplicates, 'copies'),
  ].join(', ');
}

function formatOutput({ output, flows, forward, detector, pairing }: CollectorStatus): string {
  const sum = (read: (account: (typeof flows)[number]) => number): string =>
    formatCount(flows.reduce((total, account) => total + read(account), 0));
  return [
    ...(output === null ? [] : [`rows: ${sum(({ rows }) => rows)} = ${sum(({ stored }) => stored)} stored + ${
      sum(({ open }) => open)} in the open file + ${sum(({ notStored }) => notStored)} not stored; ${
      formatCount(output.files)} files, ${formatBytes(output.bytes)}, in ${output.folder}${
      output.isFailing ? ' (FAILING)' : ''}`]),
    ...(pairing === null ? [] : [`pairing: ${formatCount(2 * pairing.paired + pairing.joined)} records joined to ` +
      `biflows, ${formatCount(pairing.single)} found no partner, ${formatCount(pairing.waiting)} wait`]),
    ...forward.map(({ to, datagrams, dropped, failed, tooLarge }) =>
      [`forwarded to ${to}: ${formatCount(datagrams)}`, ...some(dropped + failed + tooLarge, 'not')].join(', ')),
    ...(detector === null ? [] : [`a detector runs in this process; its state is in ${detector.stateFolder}`]),
  ].join('\n');
}

function formatSentences({ sentences }: CollectorStatus): string {
  const more = sentences.length - sentencesShown;
  return [...sentences.slice(0, sentencesShown).map((sentence) => `! ${sentence}`),
    ...(more > 0 ? [`… and ${formatCount(more)} more`] : [])].join('\n');
}

/** `12 s ago` for a short time, a clock for a long one would need the day: `5 h`. */
function formatTimeAgo(milliseconds: number): string {
  return milliseconds < 1_500 ? 'now' : formatSpan(milliseconds);
}

function formatRate(unitsPerSecond: number): string {
  return unitsPerSecond < 10 && unitsPerSecond > 0 ? unitsPerSecond.toFixed(1) : formatCount(unitsPerSecond);
}

