/**
 * What methods need that look at packets: the IPv4 packets that a device sent out of its home, with their
 * identification, and the names that it asked for. Made by `natlens lab build --traces`, for the lab alone; no detector
 * sees any of it.
 *
 * Most homes have their router for a resolver, so questions to a resolver at home are here too, as the router passes
 * them on: that is the one packet without a flow.
 */

/** In `DeviceTrace.flow`, for a question to a resolver at home, which no flow out of the home tells of. */
export const noFlow = 0xffff_ffff;

/**
 * In `HomeTrace.destination`, for such a question: the one resolver of the home. Routers of the labs that recordings
 * are from have addresses of their own, which no home has in common.
 */
export const homeResolver = 0;

/** Packets of one unit, ascending in time; all arrays are as long as there are packets. */
export type DeviceTrace = {
  /** Unix epoch. */
  readonly timeMs: Float64Array;
  /** IPv4 identification, 0..65535. */
  readonly ipId: Uint16Array;
  /** Code of the destination address in `TraceTexts.destinations`. */
  readonly destination: Uint32Array;
  /**
   * Code of the name that the packet asks for in `TraceTexts.names`; 0, the empty text, when it is no DNS query. The
   * root's name is a dot.
   */
  readonly name: Uint32Array;
  /** Row of the unit's flows that the packet is part of, or `noFlow`. */
  readonly flow: Uint32Array;
};

/** Packets `first` up to but not `end`: views of a trace's arrays. */
export function windowOfTrace(trace: DeviceTrace, first: number, end: number): DeviceTrace {
  return {
    timeMs: trace.timeMs.subarray(first, end), ipId: trace.ipId.subarray(first, end),
    destination: trace.destination.subarray(first, end), name: trace.name.subarray(first, end),
    flow: trace.flow.subarray(first, end),
  };
}

/** What the codes of all traces of a data set stand for; code 0 is the empty text in both. */
export type TraceTexts = {
  readonly destinations: readonly string[];
  readonly names: readonly string[];
};

/** Packets of all devices of a home, behind one address, ascending in time. */
export type HomeTrace = DeviceTrace & {
  /** [packet]: number of the device that sent it. The truth: for accuracy, never for a decision. */
  readonly device: Uint8Array;
};
