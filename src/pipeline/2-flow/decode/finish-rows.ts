/**
 * What fields alone cannot say, for the rows that a plan has just read: which of two addresses, the missing one of two
 * times, ICMP in the port field, direction of a biflow, sampling, and whose records these are.
 */
import { protocolIcmp, protocolIcmpv6 } from '#base';
import type { FlowBatch } from '../flow-batch.ts';
import type { ExportDomain } from './export-domain.ts';
import type { FieldPlan, ScratchName } from './field-plan.ts';

/** Values of the rows that are no columns; the same row numbers as in the batch. */
export type Scratch = { readonly [N in Exclude<ScratchName, 'sourceIPv4' | 'destinationIPv4'>]: Float64Array } &
  { readonly sourceIPv4: Uint32Array; readonly destinationIPv4: Uint32Array };

export type FinishContext = {
  readonly batch: FlowBatch;
  readonly scratch: Scratch;
  readonly renormalise: boolean;
  exportMs: number;
  /** False when times are uptimes of a clock whose start nobody has told. */
  isPlaced: boolean;
  /** Addresses and their family are set already. */
  isAddressed: boolean;
  /** Exporter and domain are set already. */
  isFilled: boolean;
  /** Some of the rows may be ICMP's. */
  hasIcmp: boolean;
};

/**
 * Finishes rows [first, end) of the batch.
 *
 * @returns how many of them could only be placed at the export time
 */
export function finishRows(plan: FieldPlan, context: FinishContext, domain: ExportDomain, first: number,
  end: number): number {
  const { targets } = plan;
  if (!context.isFilled) fillOrigin(context, domain, first, end);
  if (!context.isAddressed) finishAddresses(plan, context, first, end);
  const placedAtExport = plan.hasTimes && context.isPlaced ? 0 : finishTimes(plan, context, first, end);
  if (context.hasIcmp && targets.has('protocolIdentifier')) finishIcmp(plan, context, first, end);
  if (plan.isIrregular && targets.has('biflowDirection')) turnReversed(context, first, end);
  if (plan.tellsInterval) domain.options.samplingInterval = context.scratch.interval[end - 1] as number;
  if (context.renormalise) renormalise(plan, context, domain, first, end);
  return placedAtExport;
}

/** Whose records these are. */
function fillOrigin({ batch: { columns } }: FinishContext, { domain, exporter }: ExportDomain, first: number,
  end: number): void {
  columns.observationDomainId.fill(domain, first, end);
  const [word0, word1, word2, word3] = exporter;
  const exporters = columns.exporterAddress;
  for (let to = first * 4; to < end * 4; to += 4) {
    exporters[to] = word0;
    exporters[to + 1] = word1;
    exporters[to + 2] = word2;
    exporters[to + 3] = word3;
  }
}

function finishAddresses(plan: FieldPlan, { batch: { columns }, scratch }: FinishContext, first: number,
  end: number): void {
  const { sourceAddress, destinationAddress, ipVersion } = columns;
  const { sourceIPv4, destinationIPv4 } = scratch;
  if (plan.addresses === 'ipv6') {
    ipVersion.fill(6, first, end);
    return;
  }
  const hasSource = plan.targets.has('sourceIPv4');
  const hasDestination = plan.targets.has('destinationIPv4');
  for (let row = first; row < end; row++) {
    const at = row * 4;
    // Quirk `bothFamilies`: IPv6 only when the record's IPv4 addresses are empty.
    if (plan.addresses === 'both' && !(hasSource && sourceIPv4[at + 3] !== 0) &&
      !(hasDestination && destinationIPv4[at + 3] !== 0) &&
      !(isUnspecified(sourceAddress, at) && isUnspecified(destinationAddress, at))) {
      ipVersion[row] = 6;
      continue;
    }
    ipVersion[row] = 4;
    sourceAddress[at] = 0;
    sourceAddress[at + 1] = 0;
    sourceAddress[at + 2] = 0xffff;
    sourceAddress[at + 3] = hasSource ? sourceIPv4[at + 3] as number : 0;
    destinationAddress[at] = 0;
    destinationAddress[at + 1] = 0;
    destinationAddress[at + 2] = 0xffff;
    destinationAddress[at + 3] = hasDestination ? destinationIPv4[at + 3] as number : 0;
  }
}

function isUnspecified(words: Uint32Array, at: number): boolean {
  return words[at] === 0 && words[at + 1] === 0 && words[at + 2] === 0 && words[at + 3] === 0;
}

function finishTimes(plan: FieldPlan, context: FinishContext, first: number, end: number): number {
  const { targets } = plan;
  const { batch: { columns }, scratch, exportMs } = context;
  const { flowStartMilliseconds: starts, flowEndMilliseconds: ends } = columns;
  const hasStart = targets.has('flowStartMilliseconds');
  const hasEnd = targets.has('flowEndMilliseconds');
  const hasDuration = targets.has('durationMs');
  const hasInit = targets.has('systemInitMs');
  const hasObserved = targets.has('observedMs');
  const isPlaced = context.isPlaced || hasInit;
  for (let row = first; row < end; row++) {
    if (!context.isPlaced && hasInit) {
      const initMs = scratch.systemInitMs[row] as number;
      if (hasStart) starts[row] = sinceInit(starts[row] as number, initMs);
      if (hasEnd) ends[row] = sinceInit(ends[row] as number, initMs);
    }
    const durationMs = hasDuration ? scratch.durationMs[row] as number
      : hasStart && hasEnd ? ((ends[row] as number) - (starts[row] as number)) | 0 : 0;
    if (!isPlaced || (!hasStart && !hasEnd)) {
      const endMs = isPlaced && hasObserved ? scratch.observedMs[row] as number : exportMs;
      ends[row] = endMs;
      starts[row] = endMs - durationMs;
    } else if (!hasEnd) ends[row] = (starts[row] as number) + durationMs;
    else if (!hasStart) starts[row] = (ends[row] as number) - durationMs;
  }
  return isPlaced ? 0 : end - first;
}

/** Unix time of an uptime that was read without a clock; what is one already stays. */
function sinceInit(time: number, initMs: number): number {
  return time > 0xffff_ffff ? time : initMs + (time >>> 0);
}

function finishIcmp(plan: FieldPlan, { batch: { columns }, scratch }: FinishContext, first: number, end: number): void {
  const { protocolIdentifier, sourceTransportPort, destinationTransportPort } = columns;
  const { icmpTypeCodeIPv4, icmpTypeCodeIPv6 } = columns;
  const { targets } = plan;
  for (let row = first; row < end; row++) {
    const protocol = protocolIdentifier[row] as number;
    if (protocol !== protocolIcmp && protocol !== protocolIcmpv6) continue;
    const isIPv6 = protocol === protocolIcmpv6;
    const out = isIPv6 ? icmpTypeCodeIPv6 : icmpTypeCodeIPv4;
    const own = isIPv6 ? 'icmpTypeCodeIPv6' : 'icmpTypeCodeIPv4';
    const type = isIPv6 ? 'icmpType6' : 'icmpType4';
    const code = isIPv6 ? 'icmpCode6' : 'icmpCode4';
    if (!targets.has(own)) {
      if (targets.has(type)) {
        out[row] = (scratch[type][row] as number) * 256 + (targets.has(code) ? scratch[code][row] as number : 0);
      } else if (isIPv6 && targets.has('icmpTypeCodeIPv4')) {
        out[row] = icmpTypeCodeIPv4[row] as number;
        icmpTypeCodeIPv4[row] = 0;
      } else out[row] = destinationTransportPort[row] as number;
    }
    sourceTransportPort[row] = 0;
    destinationTransportPort[row] = 0;
  }
}

/** biflowDirection 2: the source of the record is the responder (RFC 5103 §6.3). */
function turnReversed({ batch: { columns }, scratch }: FinishContext, first: number, end: number): void {
  for (let row = first; row < end; row++) {
    if (scratch.biflowDirection[row] !== 2) continue;
    swap(columns.initiatorOctets, columns.responderOctets, row, 1);
    swap(columns.initiatorPackets, columns.responderPackets, row, 1);
    swap(columns.sourceAddress, columns.destinationAddress, row, 4);
    swap(columns.sourceTransportPort, columns.destinationTransportPort, row, 1);
    swap(columns.ipClassOfService, columns.reverseIpClassOfService, row, 1);
    swap(columns.tcpControlBits, columns.reverseTcpControlBits, row, 1);
    swap(columns.sourceMacAddress, columns.destinationMacAddress, row, 2);
    swap(columns.ingressInterface, columns.egressInterface, row, 1);
  }
}

type Numbers = Float64Array | Uint32Array | Uint16Array | Uint8Array;

function swap(a: Numbers, b: Numbers, row: number, width: number): void {
  for (let i = row * width; i < (row + 1) * width; i++) {
    const kept = a[i] as number;
    a[i] = b[i] as number;
    b[i] = kept;
  }
}

function renormalise(plan: FieldPlan, { batch: { columns }, scratch }: FinishContext, domain: ExportDomain,
  first: number, end: number): void {
  const { targets } = plan;
  const { options } = domain;
  for (let row = first; row < end; row++) {
    let interval = 0;
    if (targets.has('interval')) interval = scratch.interval[row] as number;
    else if (targets.has('packets') && targets.has('space') && scratch.packets[row] !== 0) {
      interval = ((scratch.packets[row] as number) + (scratch.space[row] as number)) / (scratch.packets[row] as number);
    }
    if (interval === 0 && targets.has('sampler')) interval = options.samplers.get(scratch.sampler[row] as number) ?? 0;
    if (interval === 0) interval = options.samplingInterval;
    if (interval <= 1) continue;
    columns.initiatorOctets[row] = (columns.initiatorOctets[row] as number) * interval;
    columns.initiatorPackets[row] = (columns.initiatorPackets[row] as number) * interval;
    columns.responderOctets[row] = (columns.responderOctets[row] as number) * interval;
    columns.responderPackets[row] = (columns.responderPackets[row] as number) * interval;
  }
}
