/**
 * A collector's status as Prometheus metrics. One table: name, help, kind, and how samples are read from the status.
 * The sets of labels are bounded: beyond a number of exporters and domains, those that sent least have no metrics of
 * their own. docs/commands/collect.md lists the names.
 */
import { limits } from '#base';
import { defineMetrics, StatusMetrics, type MetricDefinition, type MetricSample } from '#service/metrics';
import type { CollectorStatus, DomainStatus } from './status.ts';

const { counter, gauge } = defineMetrics<CollectorStatus>('natlens_collector_');

const byName = (counts: Readonly<Record<string, number | undefined>>, label: string): MetricSample[] =>
  Object.entries(counts).map(([name, value]) => ({ labels: { [label]: name }, value: value ?? 0 }));

/** Those with metrics of their own: the ones that sent most. */
function listed({ domains }: CollectorStatus): readonly DomainStatus[] {
  if (domains.length <= limits.collectorMetricDomainsMax) return domains;
  return [...domains].sort((a, b) => b.account.sent - a.account.sent).slice(0, limits.collectorMetricDomainsMax);
}

const domainLabels = ['exporter', 'version', 'domain'] as const;

const labelsOf = ({ exporter, version, domain }: DomainStatus): Record<string, string> =>
  ({ exporter, version: String(version), domain: String(domain) });

const byDomain = (read: (domain: DomainStatus) => number | null) => (status: CollectorStatus): MetricSample[] =>
  listed(status).flatMap((domain) => {
    const value = read(domain);
    return value === null ? [] : [{ labels: labelsOf(domain), value }];
  });

const parts: Readonly<Record<string, (account: DomainStatus['account']) => number>> = {
  decoded: ({ decoded }) => decoded, waiting: ({ waiting }) => waiting,
  'lost-in-kernel': ({ lostInKernel }) => lostInKernel, 'lost-on-the-way': ({ lostOnTheWay }) => lostOnTheWay,
  'lost-while-stopped': ({ lostWhileStopped }) => lostWhileStopped,
  limited: ({ limited }) => limited,
  undecodable: ({ undecodable }) => Object.values(undecodable).reduce((sum, units) => sum + (units ?? 0), 0),
};

export const metricDefinitions: readonly MetricDefinition<CollectorStatus>[] = [
  gauge('info', 'Versions; always 1', ({ versions }) =>
    [{ labels: { version: versions.natlens, node: versions.node }, value: 1 }], 'version', 'node'),
  gauge('uptime_seconds', 'Time since the start', ({ uptimeMs }) => uptimeMs / 1_000),
  gauge('healthy', '1 when nothing is wrong', ({ health }) => Number(health.length === 0)),
  gauge('unhealthy', 'What is wrong, by reason; absent when all is well', ({ health }) =>
    byName(Object.fromEntries(health.map(({ code }) => [code, 1])), 'reason'), 'reason'),

  counter('datagrams_total', 'Datagrams received', ({ input }) => input.receiver?.datagrams),
  counter('bytes_total', 'Bytes of these', ({ input }) => input.receiver?.bytes),
  counter('kernel_drops_total', 'Datagrams that found a receive buffer full', ({ input }) =>
    input.receiver?.kernelDrops),
  counter('ring_drops_total', 'Datagrams that found our own memory full', ({ input }) => input.receiver?.ringDrops),
  gauge('ring_used_bytes_max', 'Most that ever waited to be decoded', ({ input }) => input.receiver?.ringBytesUsedMax),
  gauge('receive_buffer_bytes', 'Smallest receive buffer that the kernel granted', ({ input }) => {
    const granted = input.sockets.flatMap(({ receiveBufferBytes }) => receiveBufferBytes ?? []);
    return granted.length === 0 ? null : Math.min(...granted);
  }),
  counter('foreign_datagrams_total', 'Datagrams from addresses that may not send', ({ input }) =>
    input.senders.foreign),
  counter('limited_datagrams_total', 'Datagrams above input.rate_limit, not decoded', ({ input }) =>
    input.senders.limited),
  gauge('senders', 'Addresses that have a rate of their own', ({ input }) => input.senders.known),
  counter('tcp_messages_total', 'IPFIX messages by TCP and TLS', ({ input }) => input.tcp.messages),
  counter('tcp_bytes_total', 'Bytes of these', ({ input }) => input.tcp.bytes),
  gauge('tcp_connections', 'Connections open', ({ input }) => input.tcp.openConnections),
  counter('tcp_connections_ended_total', 'Connections that ended or were refused, by reason', ({ input }) =>
    byName(input.tcp.ended, 'reason'), 'reason'),

  counter('messages_total', 'Messages decoded', ({ exports }) => exports.datagrams),
  counter('records_total', 'Data records', ({ exports }) => exports.records),
  counter('flows_total', 'Flow records', ({ exports }) => exports.flows),
  counter('rejected_total', 'Headers, sets, templates and records rejected, by reason', ({ exports }) =>
    byName(exports.rejected, 'reason'), 'reason'),
  gauge('waiting_sets', 'Data sets that wait for their template', ({ exports }) => exports.waiting.sets),
  gauge('domains', 'Exporters, versions and domains that are kept apart', ({ domains }) => domains.length),

  // Late messages fill holes, so parts may fall; the sum over parts is what the exporter sent.
  gauge('exporter_units', 'Flows (v5), messages (v9) or records (IPFIX) of an exporter by what became of them; they ' +
    'sum to what it sent', (status) => listed(status).flatMap((domain) => Object.entries(parts).map(([part, read]) =>
    ({ labels: { ...labelsOf(domain), part }, value: read(domain.account) }))), ...domainLabels, 'part'),
  gauge('exporter_units_per_second', 'The same a second, over the last ten seconds',
    byDomain(({ unitsPerSecond }) => unitsPerSecond), ...domainLabels),
  counter('exporter_flows_total', 'Flow records of an exporter', byDomain(({ account }) => account.flows),
    ...domainLabels),
  counter('exporter_restarts_total', 'Restarts of an exporter', byDomain(({ restarts }) => restarts), ...domainLabels),
  counter('exporter_duplicates_total', 'Copies of messages', byDomain(({ duplicates }) => duplicates), ...domainLabels),
  gauge('exporter_last_seconds', 'When its last message came, Unix time',
    byDomain(({ account }) => account.lastReceivedMs / 1_000), ...domainLabels),
  gauge('exporter_clock_skew_seconds', 'How far its clock is ahead', byDomain(({ account }) =>
    (account.exportClockSkewMs === undefined ? null : account.exportClockSkewMs / 1_000)), ...domainLabels),
  gauge('exporter_sampling_interval', 'One of so many packets is metered; 0: not told',
    byDomain(({ samplingInterval }) => samplingInterval), ...domainLabels),

  gauge('rows', 'Rows by what became of them, over all runs', ({ output, flows }) => {
    if (output === null) return [];
    const sum = (read: (account: (typeof flows)[number]) => number): number =>
      flows.reduce((total, account) => total + read(account), 0);
    return byName({
      stored: sum(({ stored }) => stored), open: sum(({ open }) => open),
      'not-stored': sum(({ notStored }) => notStored),
    }, 'fate');
  }, 'fate'),
  counter('files_total', 'Files that are whole', ({ output }) => output?.files),
  counter('file_bytes_total', 'Bytes of these', ({ output }) => output?.bytes),
  counter('files_deleted_total', 'Files deleted because of output.keep and output.keep_size', ({ output }) =>
    output?.deletedFiles),
  gauge('output_failing', '1 when rows cannot be written', ({ output }) =>
    (output === null ? null : Number(output.isFailing))),
  counter('forwarded_total', 'Messages handed on, by receiver', ({ forward }) =>
    forward.map(({ to, datagrams }) => ({ labels: { to }, value: datagrams })), 'to'),
  counter('forward_lost_total', 'Messages not handed on, by receiver', ({ forward }) =>
    forward.map(({ to, dropped, failed, tooLarge }) => ({ labels: { to }, value: dropped + failed + tooLarge })), 'to'),

  gauge('state_age_seconds', 'Time since the state was saved', ({ state }) =>
    (state.ageMs === null ? null : state.ageMs / 1_000)),
  gauge('state_bytes', 'Size of the state', ({ state }) => state.bytes),
  gauge('resident_bytes', 'Resident memory', ({ memory }) => memory.residentBytes),
  counter('cpu_seconds_total', 'CPU time', ({ cpuSeconds }) => cpuSeconds),
  counter('lost_log_lines_total', 'Lines of the log that could not be written', ({ lostLogLines }) => lostLogLines),
];

/** The status in the text format of Prometheus. */
export class CollectorMetrics extends StatusMetrics<CollectorStatus> {
  constructor() {
    super(metricDefinitions);
  }
}
