/**
 * Tells which flow a packet went into, from what flows and packets say. The meter's kernel counts packets without
 * saying so, but a conversation's packets go into its flows in order of time, each flow knows how many, and only flows
 * of different type of service or interface go on side by side (Meidan et al. 2019 §5: both are in the flow key).
 */
import { noFlow } from '../baseline/device-trace.ts';
import { sortByTime } from './trace-packets.ts';

/** A flow that packets are looked for. */
export type TracedFlow = {
  /** Number of its conversation, in the initiator's direction. */
  readonly conversation: number;
  /** Interface · 256 + type of service of the initiator's packets. */
  readonly interfaceClass: number;
  /** Whole milliseconds, as flows have them. */
  readonly startMs: number;
  readonly endMs: number;
  /** Packets of the initiator. */
  readonly packets: number;
};

export type TracedPackets = {
  readonly count: number;
  /** [count] */
  readonly timeMs: Float64Array;
  /** [count]: number of the conversation; numbers from `conversationCount` on are of none. */
  readonly conversation: Uint32Array;
  /** [count] */
  readonly interfaceClass: Uint32Array;
};

export type LinkedPackets = {
  /** [packet]: number of its flow, or `noFlow`. */
  readonly flow: Uint32Array;
  /** Flows of which fewer packets were found than they counted. */
  readonly incompleteFlows: number;
};

/**
 * @param packets  in the order of the capture
 * @param flows    any order
 */
export function linkPackets(
  packets: TracedPackets, flows: readonly TracedFlow[], conversationCount: number,
): LinkedPackets {
  const flow = new Uint32Array(packets.count).fill(noFlow);
  const left = Uint32Array.from(flows, (traced) => traced.packets);
  const packetGroups = groupBy(packets.conversation, packets.count, conversationCount);
  const flowGroups = groupBy(Uint32Array.from(flows, ({ conversation }) => conversation), flows.length,
    conversationCount);
  for (let conversation = 0; conversation < conversationCount; conversation++) {
    const numbers = flowGroups.of(conversation);
    if (numbers.length === 0) continue;
    numbers.sort((a, b) => (flows[a] as TracedFlow).startMs - (flows[b] as TracedFlow).startMs ||
      (flows[a] as TracedFlow).endMs - (flows[b] as TracedFlow).endMs || a - b);
    const rows = sortByTime(packetGroups.of(conversation), packets.timeMs);
    fillFlows({ packets, rows, flows, numbers, left, flow, isSameClass: true });
    // Stray packets behind the end of a flow are the kernel's, and have its type of service.
    fillFlows({ packets, rows, flows, numbers, left, flow, isSameClass: false });
  }
  return { flow, incompleteFlows: left.reduce((count, packetsLeft) => count + Number(packetsLeft > 0), 0) };
}

type Filling = {
  readonly packets: TracedPackets;
  /** Packets of the conversation in order of time. */
  readonly rows: Uint32Array;
  readonly flows: readonly TracedFlow[];
  /** Its flows in order of time. */
  readonly numbers: Uint32Array;
  /** [flow]: packets that are still missing; counted down. */
  readonly left: Uint32Array;
  /** [packet]; those without a flow are given one. */
  readonly flow: Uint32Array;
  readonly isSameClass: boolean;
};

function fillFlows({ packets, rows, flows, numbers, left, flow, isSameClass }: Filling): void {
  let first = 0;
  for (const row of rows) {
    if (flow[row] !== noFlow) continue;
    const timeMs = Math.floor(packets.timeMs[row] as number);
    while (first < numbers.length && isOver(numbers[first] as number, timeMs)) first++;
    for (let i = first; i < numbers.length; i++) {
      const number = numbers[i] as number;
      const { startMs, endMs, interfaceClass } = flows[number] as TracedFlow;
      if (startMs > timeMs) break;
      if (endMs < timeMs || left[number] === 0) continue;
      if (isSameClass && interfaceClass !== packets.interfaceClass[row]) continue;
      flow[row] = number;
      left[number] = (left[number] as number) - 1;
      break;
    }
  }

  function isOver(number: number, timeMs: number): boolean {
    return left[number] === 0 || (flows[number] as TracedFlow).endMs < timeMs;
  }
}

/** Rows by the group that they are of, in their order. */
function groupBy(
  groups: Uint32Array, rowCount: number, groupCount: number,
): { of: (group: number) => Uint32Array } {
  const ends = new Uint32Array(groupCount + 1);
  for (let row = 0; row < rowCount; row++) {
    const group = groups[row] as number;
    if (group < groupCount) ends[group + 1] = (ends[group + 1] as number) + 1;
  }
  for (let group = 0; group < groupCount; group++) {
    ends[group + 1] = (ends[group + 1] as number) + (ends[group] as number);
  }
  const rows = new Uint32Array(ends[groupCount] as number);
  const next = ends.slice();
  for (let row = 0; row < rowCount; row++) {
    const group = groups[row] as number;
    if (group >= groupCount) continue;
    rows[next[group] as number] = row;
    next[group] = (next[group] as number) + 1;
  }
  return { of: (group) => rows.subarray(ends[group], ends[group + 1]) };
}
