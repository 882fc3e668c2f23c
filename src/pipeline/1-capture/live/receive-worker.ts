/** Main of the receiving thread: all that it shares with the thread that started it is memory and open sockets. */
import { parentPort, workerData } from 'node:worker_threads';
import { assertInvariant } from '#base';
import { RingMemory } from './datagram-ring.ts';
import { loadLibc } from './libc.ts';
import { threadKnock, threadReady, type ReceiveJob } from './receive-job.ts';
import { ReceiveLoop } from './receive-loop.ts';
import { RingWriter } from './ring-writer.ts';

const port = parentPort;
assertInvariant(port !== null, 'datagrams are received in a worker thread only');
const { shape, buffer, loop } = workerData as ReceiveJob;
const memory = new RingMemory(shape, buffer);
const receiveLoop = new ReceiveLoop(loadLibc(), memory, new RingWriter(memory), loop,
  () => port.postMessage(threadKnock));
port.postMessage(threadReady);
receiveLoop.run();
