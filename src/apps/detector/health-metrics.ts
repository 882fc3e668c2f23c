/**
 * A detector's status as Prometheus metrics. One table: name, help, kind, and how its samples are read from the status.
 * Homes are not in it, nor device models (with one home, a count by device model would tell what stands in it), and
 * exporters go by their pseudonyms. docs/commands/detect.md lists the names.
 */
import { defineMetrics, StatusMetrics, type MetricDefinition, type MetricSample as Sample } from '#service/metrics';
import type { DetectorStatus, NamedCounts } from './status.ts';

const { counter, gauge } = defineMetrics<DetectorStatus>('natlens_');

const byName = (counts: NamedCounts, label: string): Sample[] =>
  Object.entries(counts).map(([name, value]) => ({ labels: { [label]: name }, value: value ?? 0 }));

const byExporter = (read: (exporter: DetectorStatus['input']['exporters'][number]) => number) =>
  ({ input }: DetectorStatus): Sample[] => input.exporters.map((each) => ({
    labels: { exporter: each.exporter, version: String(each.version), domain: String(each.domain) }, value: read(each),
  }));

const exporterLabels = ['exporter', 'version', 'domain'] as const;

export const metricDefinitions: readonly MetricDefinition<DetectorStatus>[] = [
  gauge('info', 'Versions; always 1', ({ versions, name }) =>
    [{ labels: { name, version: versions.natlens, node: versions.node }, value: 1 }], 'name', 'version', 'node'),
  gauge('uptime_seconds', 'Time since the start', ({ uptimeMs }) => uptimeMs / 1_000),
  gauge('dry_run', '1 when no action is executed', ({ isDryRun }) => Number(isDryRun)),
  gauge('healthy', '1 when nothing is wrong', ({ health }) => Number(health.length === 0)),
  gauge('unhealthy', 'What is wrong, by reason; absent when all is well', ({ health }) =>
    byName(Object.fromEntries(health.map(({ code }) => [code, 1])), 'reason'), 'reason'),

  counter('udp_datagrams_total', 'Datagrams of allowed exporters', ({ input }) => input.udp.datagrams),
  counter('udp_bytes_total', 'Bytes of these', ({ input }) => input.udp.bytes),
  counter('udp_foreign_datagrams_total', 'Datagrams of others, not decoded', ({ input }) => input.udp.foreignDatagrams),
  counter('udp_kernel_drops_total', 'Datagrams that found the receive buffer full', ({ input }) =>
    input.udp.kernelDrops),
  counter('udp_socket_errors_total', 'Errors of sockets', ({ input }) => input.udp.socketErrors),
  gauge('udp_receive_buffer_bytes', 'Smallest receive buffer that the kernel granted', ({ input }) =>
    (input.udp.sockets.length === 0 ? null
      : Math.min(...input.udp.sockets.map(({ receiveBufferBytes }) => receiveBufferBytes)))),
  counter('tcp_messages_total', 'IPFIX messages by TCP', ({ input }) => input.tcp.messages),
  counter('tcp_bytes_total', 'Bytes of these', ({ input }) => input.tcp.bytes),
  gauge('tcp_connections', 'Connections open', ({ input }) => input.tcp.openConnections),
  counter('tcp_connections_ended_total', 'Connections that ended or were refused, by reason', ({ input }) =>
    byName(input.tcp.ended, 'reason'), 'reason'),

  counter('export_datagrams_total', 'Datagrams and messages decoded', ({ input }) => input.intake.exports.datagrams),
  counter('export_bytes_total', 'Bytes of these', ({ input }) => input.intake.exports.bytes),
  counter('export_records_total', 'Data records', ({ input }) => input.intake.exports.records),
  counter('export_rejected_total', 'Headers, sets, templates and records rejected, by reason', ({ input }) =>
    byName(input.intake.exports.rejected, 'reason'), 'reason'),
  gauge('export_waiting_sets', 'Data sets that wait for their template', ({ input }) =>
    input.intake.exports.waiting.sets),
  counter('exporter_datagrams_total', 'Datagrams of an exporter', byExporter(({ datagrams }) => datagrams),
    ...exporterLabels),
  counter('exporter_records_total', 'Data records of an exporter', byExporter(({ records }) => records),
    ...exporterLabels),
  // Late datagrams fill holes, so this may fall.
  gauge('exporter_lost_units', 'Flows (v5), datagrams (v9) or records (IPFIX) missing by sequence number',
    byExporter(({ lostUnits }) => lostUnits), ...exporterLabels),
  counter('exporter_reordered_total', 'Datagrams that came late', byExporter(({ reordered }) => reordered),
    ...exporterLabels),
  counter('exporter_duplicates_total', 'Copies', byExporter(({ duplicates }) => duplicates), ...exporterLabels),
  counter('exporter_restarts_total', 'Restarts', byExporter(({ restarts }) => restarts), ...exporterLabels),

  counter('flows_total', 'Flows handed on to the homes', ({ input }) => input.intake.flows),
  counter('flows_of_homes_total', 'Flows of a home', ({ flows }) => flows.ofHomes),
  counter('flows_of_no_home_total', 'Flows of no home, by reason', ({ flows }) => byName(flows.ofNoHome, 'reason'),
    'reason'),
  counter('flows_placed_at_arrival_total', 'Flows of a clock that is off', ({ flows }) => flows.placedAtArrival),
  gauge('flow_age_seconds', 'Time since the last flow came', ({ flows }) =>
    (flows.lastMs === null ? null : flows.lastMs / 1_000)),
  gauge('pairing_waiting_records', 'One-way records that wait for their other direction', ({ input }) =>
    input.intake.pairing?.waiting),
  counter('pairing_ended_early_total', 'One-way records decided early because too many waited', ({ input }) =>
    (input.intake.pairing === null ? null : input.intake.pairing.endedForRoom + input.intake.pairing.endedForCrowd)),
  counter('text_overflows_total', 'Names that were too many to remember', ({ input }) =>
    input.intake.dictionaryOverflows),

  gauge('homes', 'Homes with evidence', ({ homes }) => homes.known),
  gauge('classifiers_active', 'Classifiers in use', ({ classifiers }) => classifiers.active.length),
  gauge('classifiers_refused', 'Classifiers refused, by reason', ({ classifiers }) =>
    countBy(classifiers.refused.map(({ code }) => code), 'reason'), 'reason'),
  gauge('classifiers_uncalibrated', 'Classifiers that do not decide by a calibration, by reason', ({ classifiers }) =>
    countBy(classifiers.active.flatMap(({ stage, fault }) => (stage === 2 || fault === null ? [] : [fault])), 'reason'),
  'reason'),
  counter('sketch_home_days_total', 'Home-days counted for field sketches', ({ sketch }) => sketch.homeDays),
  gauge('evidence', 'What the evidence counts', ({ evidence }) => byName(evidence, 'what'), 'what'),
  gauge('verdicts', 'Verdicts by state', ({ verdicts }) => byName(verdicts, 'state'), 'state'),
  gauge('actions', 'Actions by state of the outbox', ({ actions }) => byName(actions.outbox, 'state'), 'state'),
  gauge('withheld', 'Actions that are not done now, by reason', ({ actions }) => byName(actions.withheld, 'reason'),
    'reason'),

  counter('clock_steps_total', 'Steps of the wall clock', ({ clock }) => clock.steps),
  gauge('checkpoint_age_seconds', 'Time since state was written', ({ checkpointAgeMs }) =>
    (checkpointAgeMs === null ? null : checkpointAgeMs / 1_000)),
  gauge('state_bytes', 'Size of the state', ({ stateBytes }) => stateBytes),
  gauge('resident_bytes', 'Resident memory', ({ memory }) => memory.residentBytes),
  counter('cpu_seconds_total', 'CPU time', ({ cpuSeconds }) => cpuSeconds),
  counter('lost_log_lines_total', 'Lines of the log that could not be written', ({ lostLogLines }) => lostLogLines),
];

function countBy(names: readonly string[], label: string): Sample[] {
  const counts: Record<string, number> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return byName(counts, label);
}

/** The status in the text format of Prometheus. */
export class HealthMetrics extends StatusMetrics<DetectorStatus> {
  constructor() {
    super(metricDefinitions);
  }
}
