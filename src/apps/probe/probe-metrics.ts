/** A probe's status as Prometheus metrics: one table. No address is in it but the collector's. */
import { defineMetrics, StatusMetrics, type MetricDefinition, type MetricSample } from '#service/metrics';
import type { ProbeStatus } from './probe-status.ts';

const { counter, gauge } = defineMetrics<ProbeStatus>('natlens_probe_');

const byName = (counts: Readonly<Record<string, number>>, label: string): MetricSample[] =>
  Object.entries(counts).map(([name, value]) => ({ labels: { [label]: name }, value }));

export const probeMetricDefinitions: readonly MetricDefinition<ProbeStatus>[] = [
  gauge('info', 'Versions and source; always 1', ({ versions, source }) =>
    [{ labels: { source, version: versions.natlens, node: versions.node }, value: 1 }], 'source', 'version', 'node'),
  gauge('uptime_seconds', 'Time since the start', ({ seconds }) => seconds),
  gauge('healthy', '1 when nothing is wrong', ({ health }) => Number(health.length === 0)),
  gauge('unhealthy', 'What is wrong, by reason; absent when all is well', ({ health }) =>
    byName(Object.fromEntries(health.map(({ code }) => [code, 1])), 'reason'), 'reason'),
  counter('frames_total', 'Frames read', ({ frames }) => frames),
  counter('kernel_packets_total', 'Packets that the kernel saw, those that it dropped among them', ({ kernel }) =>
    kernel?.packets),
  counter('kernel_drops_total', 'Packets for which the ring had no room', ({ kernel }) => kernel?.dropped),
  counter('ring_freezes_total', 'How often the ring was full', ({ kernel }) => kernel?.ringFreezes),
  counter('vlan_restored_total', 'VLAN tags that the kernel had stripped and that were restored', ({ kernel }) =>
    kernel?.vlanRestored),
  counter('cut_frames_total', 'Frames longer than the snap length', ({ kernel }) => kernel?.cutFrames),
  counter('joined_frames_total', 'Frames that are several packets, joined by the card', ({ kernel }) =>
    kernel?.joinedFrames),
  gauge('interface_up', '1 while the interface is there and up', ({ kernel }) =>
    (kernel === null ? undefined : Number(kernel.state === 'up'))),
  counter('interface_losses_total', 'How often the interface went down or away', ({ kernel }) =>
    kernel?.interfaceLosses),
  counter('metered_packets_total', 'Packets counted in flows', ({ meteredPackets }) => meteredPackets),
  counter('unsampled_packets_total', 'Packets that sampling left out', ({ unsampledPackets }) => unsampledPackets),
  counter('rejected_packets_total', 'Frames and packets rejected, by reason', ({ rejected }) =>
    byName(rejected, 'reason'), 'reason'),
  counter('octets_total', 'IP length of the packets counted', ({ octets }) => octets),
  counter('flows_total', 'Flows ended', ({ flows }) => flows),
  gauge('open_flows', 'Flows open', ({ openFlows }) => openFlows),
  counter('flows_ended_for_room_total', 'Flows ended because the table was full', ({ flowsEndedForRoom }) =>
    flowsEndedForRoom),
  counter('late_packets_total', 'Packets that came too late to be put in order', ({ latePackets }) => latePackets),
  counter('clock_steps_total', 'Steps back of the clock', ({ clockSteps }) => clockSteps),
  counter('names_total', 'What naming counted', ({ l7 }) => byName(l7.counts, 'count'), 'count'),
  counter('export_records_sent_total', 'Data records handed to the system', ({ export: sent }) => sent?.sentRecords),
  counter('export_records_lost_total', 'Data records that could not be sent', ({ export: sent }) => sent?.lostRecords),
  gauge('export_records_waiting', 'Data records that wait to be sent', ({ export: sent }) => sent?.waitingRecords),
  counter('export_messages_total', 'Datagrams, or messages by TCP', ({ export: sent }) => sent?.messages),
  counter('export_bytes_total', 'Bytes of these', ({ export: sent }) => sent?.bytes),
  gauge('export_connected', 'By TCP: 1 while the collector is there', ({ export: sent }) =>
    (sent?.isConnected === undefined ? undefined : Number(sent.isConnected))),
  counter('export_connections_total', 'By TCP: connections made', ({ export: sent }) =>
    (sent?.transport === 'tcp' ? sent.connections : undefined)),
  gauge('resident_memory_bytes', 'Memory of the process', ({ residentBytes }) => residentBytes),
  counter('cpu_seconds_total', 'CPU time of the process', ({ cpuSeconds }) => cpuSeconds),
];

/** The metrics of a probe. */
export function createProbeMetrics(): StatusMetrics<ProbeStatus> {
  return new StatusMetrics(probeMetricDefinitions);
}
