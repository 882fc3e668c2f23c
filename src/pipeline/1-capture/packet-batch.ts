/**
 * PacketBatch: what this room hands on. One row a frame that carries IP, as columns over one block of bytes.
 * The link layer is taken off here; nothing at or above IP is interpreted here.
 */
import { limits } from '#base';

/** `linkOffset` of a row without a link header that carries MAC addresses. */
export const noLinkHeader = 0xffffffff;

/**
 * Packets of a capture in the order in which they lie there.
 *
 * Written by the reader, read only for everybody else, and valid until the reader's next batch: whoever keeps bytes
 * copies them.
 */
export type PacketBatch = {
  readonly capacity: number;
  rowCount: number;
  /** The bytes that all offsets point into. */
  data: Uint8Array;
  /** [rowCount] capture time, microseconds since the Unix epoch (nanoseconds are cut off). */
  readonly timeMicroseconds: Float64Array;
  /** [rowCount] offset of the IP header in `data`. */
  readonly networkOffset: Uint32Array;
  /**
   * [rowCount] captured bytes from the IP header on; the packet itself may be longer (snap length) or shorter
   * (padding).
   */
  readonly networkBytes: Uint32Array;
  /** [rowCount] 4 or 6: what the link layer announced. */
  readonly ipVersion: Uint8Array;
  /** [rowCount] offset of a 12-byte destination + source MAC pair in `data`, or `noLinkHeader`. */
  readonly linkOffset: Uint32Array;
  /** [rowCount] outermost 802.1Q VLAN id, 0 when untagged. */
  readonly vlanId: Uint16Array;
  /** [rowCount] interface that the frame was captured on: pcapng interface id, 0 for pcap; below 2^24. */
  readonly interfaceIndex: Uint32Array;
};

/** An empty batch. @param capacity rows */
export function createPacketBatch(capacity: number = limits.packetBatchRows): PacketBatch {
  return {
    capacity,
    rowCount: 0,
    data: new Uint8Array(0),
    timeMicroseconds: new Float64Array(capacity),
    networkOffset: new Uint32Array(capacity),
    networkBytes: new Uint32Array(capacity),
    ipVersion: new Uint8Array(capacity),
    linkOffset: new Uint32Array(capacity),
    vlanId: new Uint16Array(capacity),
    interfaceIndex: new Uint32Array(capacity),
  };
}
