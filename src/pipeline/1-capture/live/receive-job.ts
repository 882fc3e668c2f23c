/** What the receiving thread is started with, and what it says to the one that started it. */
import type { RingShape } from './datagram-ring.ts';
import type { ReceiveLoopOptions } from './receive-loop.ts';

/** What the thread says: it begins, or the reader, which sleeps, has something to read. */
export const threadReady = 1;
export const threadKnock = 0;

/** What the thread is started with. */
export type ReceiveJob = {
  readonly shape: RingShape;
  readonly buffer: SharedArrayBuffer;
  readonly loop: ReceiveLoopOptions;
};
