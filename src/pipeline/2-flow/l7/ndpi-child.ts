/**
 * Main of the child process that runs libndpi: reads records from standard input, writes verdicts to descriptor 3.
 * It blocks in read and write, so it has no queue of its own; it ends when its input does. Whatever kills it, the
 * parent lives on. Standard output is not used: the library may print there.
 */
import { readSync, writeSync } from 'node:fs';
import { assertInvariant, describeError, EnvironmentError } from '#base';
import { openNdpi, type NdpiLibrary } from './ndpi-library.ts';
import {
  encodeText, recordBegins, recordGivesUp, recordIsLast, RecordStream, verdictBytes, type ChildGreeting,
} from './ndpi-protocol.ts';

const inputDescriptor = 0;
const verdictDescriptor = 3;
/** More than a socket holds by default (208 KiB), so that one read takes all there is. */
const inputBytes = 1 << 20;
/** Flows whose memory is allocated together. */
const flowsPerSlab = 4_096;
/** Verdicts written together at most. */
const verdictsMax = 8_192;

type Slab = { readonly address: number; readonly view: Uint8Array };

/** Detection state of conversations by their index; memory grows with the highest index, which the parent bounds. */
class Detector {
  readonly #ndpi: NdpiLibrary;
  readonly #conversationsMax: number;
  readonly #slabs: Slab[] = [];
  /** Per conversation: 1 while it is inspected. */
  #open = new Uint8Array(flowsPerSlab);
  readonly #verdicts = Buffer.alloc(verdictsMax * verdictBytes);
  #verdictsUsed = 0;

  /** @param conversationsMax bounds the memory: indexes at or above it are a broken stream */
  constructor(ndpi: NdpiLibrary, conversationsMax: number) {
    this.#ndpi = ndpi;
    this.#conversationsMax = conversationsMax;
  }

  /** Inspects the packet of a record. Packets that crossed the verdict on their way are passed over. */
  take(conversation: number, flags: number, packet: number, packetBytes: number, timeMs: number): void {
    if ((flags & recordBegins) !== 0) this.#begin(conversation);
    else if (this.#open[conversation] !== 1) return;
    const flow = this.#addressOf(conversation);
    if ((flags & recordGivesUp) !== 0) return this.#conclude(conversation, flow, this.#ndpi.giveUp(flow));
    const found = this.#ndpi.processPacket(flow, packet, packetBytes, timeMs);
    const detected = found >>> 0 !== 0;
    if (detected && ((flags & recordIsLast) !== 0 || !this.#ndpi.wantsMore(flow))) this.#conclude(conversation, flow, found);
    else if ((flags & recordIsLast) !== 0) this.#conclude(conversation, flow, this.#ndpi.giveUp(flow));
  }

  /** Writes the verdicts gathered so far. */
  flush(): void {
    let at = 0;
    while (at < this.#verdictsUsed) at += writeSync(verdictDescriptor, this.#verdicts, at, this.#verdictsUsed - at);
    this.#verdictsUsed = 0;
  }

  #begin(conversation: number): void {
    while (conversation >= this.#slabs.length * flowsPerSlab) this.#grow();
    const slab = this.#slabs[Math.floor(conversation / flowsPerSlab)] as Slab;
    const at = (conversation % flowsPerSlab) * this.#ndpi.flowBytes;
    if (this.#open[conversation] === 1) this.#ndpi.freeFlowData(slab.address + at);
    slab.view.fill(0, at, at + this.#ndpi.flowBytes);
    this.#open[conversation] = 1;
  }

  #grow(): void {
    assertInvariant(this.#slabs.length * flowsPerSlab < this.#conversationsMax, 'conversation index beyond the limit');
    this.#slabs.push(this.#ndpi.allocate(flowsPerSlab * this.#ndpi.flowBytes));
    if (this.#slabs.length * flowsPerSlab <= this.#open.length) return;
    const larger = new Uint8Array(this.#open.length * 2);
    larger.set(this.#open);
    this.#open = larger;
  }

  #addressOf(conversation: number): number {
    const slab = this.#slabs[Math.floor(conversation / flowsPerSlab)] as Slab;
    return slab.address + (conversation % flowsPerSlab) * this.#ndpi.flowBytes;
  }

  #conclude(conversation: number, flow: number, found: number): void {
    this.#ndpi.freeFlowData(flow);
    this.#open[conversation] = 0;
    if (this.#verdictsUsed + verdictBytes > this.#verdicts.length) this.flush();
    this.#verdicts.writeUInt32LE(conversation, this.#verdictsUsed);
    this.#verdicts.writeUInt32LE(found >>> 0, this.#verdictsUsed + 4);
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
    greet({ kind: 'failed', code: code as 'ndpi-failed', message: describeError(thrown) });
    return undefined;
  }
}

function run(ndpi: NdpiLibrary): void {
  const detector = new Detector(ndpi, Number(process.argv[2]));
  const stream = new RecordStream(inputBytes);
  const inputAddress = ndpi.addressOf(stream.bytes);
  for (;;) {
    const bytes = readSync(inputDescriptor, stream.bytes, stream.endBytes, stream.bytes.length - stream.endBytes, null);
    if (bytes === 0) return;
    stream.endBytes += bytes;
    while (stream.next()) {
      detector.take(stream.conversation, stream.flags, inputAddress + stream.packetOffset, stream.packetBytes, stream.timeMs);
    }
    detector.flush();
  }
}

// An interrupt at the terminal goes to both processes: the parent decides, and the child ends with its input.
process.on('SIGINT', () => undefined);
const ndpi = open();
if (ndpi !== undefined) run(ndpi);
