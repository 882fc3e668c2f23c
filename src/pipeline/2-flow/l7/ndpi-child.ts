/**
 * Main of the child process that runs libndpi: reads notices from standard input, takes the blocks that they tell of
 * from the file shared as descriptor 4, writes verdicts to descriptor 3. It blocks in read and write, so it has no
 * queue of its own; it ends when its input does. Whatever kills it, the parent lives on. Standard output is not used:
 * the library may print there. Arguments: conversation indexes are below the first, blocks are as long as the second.
 */
import { readSync, writeSync } from 'node:fs';
import { assertInvariant, describeError, EnvironmentError } from '#base';
import { openNdpi, type NdpiLibrary } from './ndpi-library.ts';
import {
  encodeText, NoticeStream, recordBegins, recordGivesUp, recordIsLast, RecordReader, releaseMark, slotCount,
  verdictBytes, type ChildGreeting, type NdpiErrorCode,
} from './ndpi-protocol.ts';

const inputDescriptor = 0;
const verdictDescriptor = 3;
const exchangeDescriptor = 4;
/** Bytes of notices read together at most. */
const noticesBytes = 1_024;
/** Flows whose memory is allocated together. */
const flowsPerSlab = 1_024;
/** Verdicts written together at most. */
const verdictsMax = 8_192;

type Slab = { readonly address: number; readonly view: Uint8Array };

const noFlow = -1;

/**
 * Detection state of the conversations under inspection. Flow memory is given to another conversation as soon as there
 * is a verdict, so that little of it is in use and that little is in the cache.
 */
class Detector {
  readonly #ndpi: NdpiLibrary;
  readonly #slabs: Slab[] = [];
  /** [conversationsMax] index of the flow memory, or `noFlow`. */
  readonly #flowOf: Int32Array;
  readonly #freeFlows: number[] = [];
  readonly #verdicts = Buffer.alloc(verdictsMax * verdictBytes);
  #verdictsUsed = 0;

  /** @param conversationsMax indexes are below it */
  constructor(ndpi: NdpiLibrary, conversationsMax: number) {
    this.#ndpi = ndpi;
    this.#flowOf = new Int32Array(conversationsMax).fill(noFlow);
  }

  /** Inspects the packet of a record. Packets that crossed the verdict on their way are passed over. */
  take(conversation: number, flags: number, packet: number, packetBytes: number, timeMs: number): void {
    let index = this.#flowOf[conversation] as number;
    if ((flags & recordBegins) !== 0) index = this.#begin(conversation, index);
    else if (index === noFlow) return;
    const flow = this.#addressOf(index);
    if ((flags & recordGivesUp) !== 0) return this.#conclude(conversation, flow, this.#ndpi.giveUp(flow));
    const found = this.#ndpi.processPacket(flow, packet, packetBytes, timeMs);
    const isDetected = found >>> 0 !== 0;
    const isLast = (flags & recordIsLast) !== 0;
    if (isDetected && (isLast || !this.#ndpi.wantsMore(flow))) this.#conclude(conversation, flow, found);
    else if (isLast) this.#conclude(conversation, flow, this.#ndpi.giveUp(flow));
  }

  /** Tells that a block was worked off, after its verdicts. */
  release(slot: number): void {
    this.#write(releaseMark, slot);
    this.flush();
  }

  /** Writes the verdicts gathered so far. */
  flush(): void {
    let at = 0;
    while (at < this.#verdictsUsed) at += writeSync(verdictDescriptor, this.#verdicts, at, this.#verdictsUsed - at);
    this.#verdictsUsed = 0;
  }

  /** Clears flow memory for a conversation. @param known its flow memory, if it has any */
  #begin(conversation: number, known: number): number {
    assertInvariant(conversation < this.#flowOf.length, 'conversation index beyond the limit');
    if (known !== noFlow) this.#ndpi.freeFlowData(this.#addressOf(known));
    else if (this.#freeFlows.length === 0) this.#grow();
    const index = known === noFlow ? this.#freeFlows.pop() as number : known;
    const at = (index % flowsPerSlab) * this.#ndpi.flowBytes;
    (this.#slabs[Math.floor(index / flowsPerSlab)] as Slab).view.fill(0, at, at + this.#ndpi.flowBytes);
    this.#flowOf[conversation] = index;
    return index;
  }

  /** As many flows as there are conversations at most: each conversation has one or none. */
  #grow(): void {
    const first = this.#slabs.length * flowsPerSlab;
    this.#slabs.push(this.#ndpi.allocate(flowsPerSlab * this.#ndpi.flowBytes));
    for (let index = first + flowsPerSlab - 1; index >= first; index--) this.#freeFlows.push(index);
  }

  #addressOf(index: number): number {
    const slab = this.#slabs[Math.floor(index / flowsPerSlab)] as Slab;
    return slab.address + (index % flowsPerSlab) * this.#ndpi.flowBytes;
  }

  #conclude(conversation: number, flow: number, found: number): void {
    this.#ndpi.freeFlowData(flow);
    this.#freeFlows.push(this.#flowOf[conversation] as number);
    this.#flowOf[conversation] = noFlow;
    this.#write(conversation, found >>> 0);
  }

  #write(head: number, word: number): void {
    if (this.#verdictsUsed + verdictBytes > this.#verdicts.length) this.flush();
    this.#verdicts.writeUInt32LE(head, this.#verdictsUsed);
    this.#verdicts.writeUInt32LE(word, this.#verdictsUsed + 4);
    this.#verdictsUsed += verdictBytes;
  }
}

function greet(greeting: ChildGreeting): void {
  const message = encodeText(JSON.stringify(greeting));
  let at = 0;
  while (at < message.length) at += writeSync(verdictDescriptor, message, at);
}

function open(): NdpiLibrary | undefined {
  try {
    const ndpi = openNdpi();
    greet({ kind: 'ready', version: ndpi.version, protocolNames: ndpi.protocolNames });
    return ndpi;
  } catch (thrown) {
    const code = thrown instanceof EnvironmentError && thrown.code.startsWith('ndpi-') ? thrown.code : 'ndpi-failed';
    greet({ kind: 'failed', code: code as NdpiErrorCode, message: describeError(thrown) });
    return undefined;
  }
}

function run(ndpi: NdpiLibrary): void {
  const [conversationsMax, blockBytes] = process.argv.slice(2).map(Number) as [number, number];
  const detector = new Detector(ndpi, conversationsMax);
  const { address, memory } = ndpi.mapShared(exchangeDescriptor, slotCount * blockBytes);
  const records = new RecordReader(memory);
  const stream = new NoticeStream();
  const chunk = Buffer.alloc(noticesBytes);
  const takeBlock = (slot: number, usedBytes: number): void => {
    records.begin(slot * blockBytes, usedBytes);
    while (records.next()) {
      const { conversation, flags, packetBytes, timeMs } = records;
      detector.take(conversation, flags, address + records.packetOffset, packetBytes, timeMs);
    }
    detector.release(slot);
  };
  for (;;) {
    const bytes = readSync(inputDescriptor, chunk, 0, chunk.length, null);
    if (bytes === 0) return;
    stream.push(chunk, bytes, takeBlock);
  }
}

// An interrupt at the terminal goes to both processes: the parent decides, and the child ends with its input.
process.on('SIGINT', () => undefined);
const ndpi = open();
if (ndpi !== undefined) run(ndpi);
