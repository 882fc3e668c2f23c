/**
 * The nDPI child process as the parent sees it: started, fed with blocks of records, and started again with growing
 * pauses when it dies. What it was sent is lost with it; the owner is told so. It never blocks and never throws for
 * anything that the child does.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { EnvironmentError } from '#base';
import { ExchangeFile } from './ndpi-exchange.ts';
import { encodeNotice, readGreeting, RecordBlock, slotCount, VerdictStream } from './ndpi-protocol.ts';

export type NdpiProcessOptions = {
  /** File that is run as the child. */
  readonly childFile: string;
  /** Conversation indexes are below this. */
  readonly conversationsMax: number;
  /** Bytes of a block of records; they are sent when a block is full. */
  readonly blockBytes: number;
  /** Bytes that may be queued before `isBehind`; at twice as many packets are refused. */
  readonly queueBytesMax: number;
  /** Pause before the first restart; it doubles with every start that brought no verdict. */
  readonly restartPauseMs: number;
  readonly restartPauseMsMax: number;
  /** Starts in a row without a verdict after which no further one is tried. */
  readonly fruitlessStartsMax: number;
  /** A child that owes something and does not move for so long is killed. */
  readonly silenceMsMax: number;
};

export type NdpiProcessHandlers = {
  readonly onVerdict: (conversation: number, verdict: number) => void;
  /** The child died: all that it was sent is lost. Further records go to the next one. */
  readonly onDeath: () => void;
  /** Something moved: bytes were taken, verdicts came, or the state changed. */
  readonly onProgress: () => void;
};

/** The child's file of this package. */
export const ndpiChildFile = fileURLToPath(new URL('./ndpi-child.ts', import.meta.url));

/** Characters of the child's standard error that are kept for messages. */
const errorTextMax = 2_000;

type Running = {
  readonly process: ChildProcess;
  readonly input: Writable;
  readonly verdicts: Readable;
  greeted: boolean;
};

export class NdpiProcess {
  /** Restarts after a death. */
  restartCount = 0;
  version = '';
  protocolNames: readonly string[] = [];
  /** No child is left and none will be started. */
  isGone = false;
  /** True while the owner waits for verdicts: a child that is silent then is killed. */
  awaitsVerdicts = false;
  readonly #options: NdpiProcessOptions;
  readonly #handlers: NdpiProcessHandlers;
  #running: Running | undefined;
  #block: RecordBlock;
  readonly #queue: RecordBlock[] = [];
  readonly #pool: RecordBlock[] = [];
  readonly #exchange: ExchangeFile;
  readonly #freeSlots: number[] = [];
  /** [slotCount] bytes of the block in each slot. */
  readonly #slotBytes = new Uint32Array(slotCount);
  #queuedBytes = 0;
  #fruitlessStarts = 0;
  #isClosing = false;
  #errorText = '';
  #moves = 0;
  #movesSeen = 0;
  #holds = 0;
  #watch: NodeJS.Timeout | undefined;
  #restart: NodeJS.Timeout | undefined;
  #settleStart: { resolve: () => void; reject: (error: Error) => void } | undefined;
  #settleClose: (() => void) | undefined;

  constructor(options: NdpiProcessOptions, handlers: NdpiProcessHandlers) {
    this.#options = options;
    this.#handlers = handlers;
    this.#block = new RecordBlock(options.blockBytes);
    this.#exchange = new ExchangeFile(slotCount, options.blockBytes);
    this.#drop();
  }

  /**
   * Starts the child and waits for its greeting.
   *
   * @throws EnvironmentError  libndpi is absent or unknown, or the child does not start
   */
  async start(): Promise<void> {
    this.#watch = setInterval(() => this.#killWhenSilent(), this.#options.silenceMsMax);
    this.#watch.unref();
    await new Promise<void>((resolve, reject) => {
      this.#settleStart = { resolve, reject };
      this.#spawn();
    });
  }

  /** Bytes that wait to be taken by the child. */
  get queuedBytes(): number {
    return this.#queuedBytes + this.#block.usedBytes;
  }

  /** True when the owner should wait before sending more. */
  get isBehind(): boolean {
    return !this.isGone && this.queuedBytes > this.#options.queueBytesMax;
  }

  /** True when packets should be refused: the owner went on though the child is behind. */
  get isOverfull(): boolean {
    return this.queuedBytes > this.#options.queueBytesMax * 2;
  }

  /** Appends a record, and sends the block when it is full. Not to be called once `isGone`. */
  append(conversation: number, flags: number, timeMs: number, source: Buffer, from: number, packetBytes: number): void {
    if (!this.#block.hasRoom(packetBytes)) this.flush();
    this.#block.append(conversation, flags, timeMs, source, from, packetBytes);
  }

  /** Sends what was appended, though the block is not full. */
  flush(): void {
    if (this.#block.usedBytes === 0) return;
    this.#queuedBytes += this.#block.usedBytes;
    this.#queue.push(this.#block);
    this.#block = this.#pool.pop() ?? new RecordBlock(this.#options.blockBytes);
    this.#pump();
  }

  /** Keeps this process alive for the child until `letGo`: while somebody waits for it. */
  hold(): void {
    if (this.#holds++ === 0) this.#setReferences();
  }

  letGo(): void {
    if (--this.#holds === 0) this.#setReferences();
  }

  /** Ends the child and waits until it is gone. */
  async close(): Promise<void> {
    this.#isClosing = true;
    clearTimeout(this.#restart);
    const running = this.#running;
    if (running !== undefined) {
      this.hold();
      const closed = new Promise<void>((resolve) => {
        this.#settleClose = resolve;
      });
      running.input.end();
      await closed;
      this.letGo();
    }
    clearInterval(this.#watch);
    this.isGone = true;
    this.#exchange.close();
  }

  /** Kills the child as the operating system would: for tests of what follows. */
  killChild(): void {
    this.#running?.process.kill('SIGKILL');
  }

  #spawn(): void {
    const { childFile, conversationsMax, blockBytes } = this.#options;
    this.#errorText = '';
    const started = spawn(process.execPath, [...childArguments(process.execArgv), childFile, String(conversationsMax),
      String(blockBytes)],
      { stdio: ['pipe', 'ignore', 'pipe', 'pipe', this.#exchange.descriptor] });
    const running: Running = {
      process: started,
      input: started.stdio[0] as Writable,
      verdicts: started.stdio[3] as Readable,
      greeted: false,
    };
    this.#running = running;
    started.on('error', (error) => this.#noteError(error.message));
    running.input.on('error', () => undefined);
    (started.stdio[2] as Readable).on('data', (chunk: Buffer) => this.#noteError(chunk.toString()));
    const stream = new VerdictStream({
      onVerdict: (conversation, verdict) => {
        this.#fruitlessStarts = 0;
        this.#handlers.onVerdict(conversation, verdict);
      },
      onRelease: (slot) => this.#release(slot),
      onText: (text) => this.#greet(running, text),
    });
    running.verdicts.on('data', (chunk: Buffer) => {
      this.#moves++;
      if (!stream.push(chunk)) started.kill('SIGKILL');
      this.#handlers.onProgress();
    });
    running.verdicts.on('error', () => undefined);
    started.on('close', () => this.#bury(running));
    this.#setReferences();
  }

  #greet(running: Running, text: string): void {
    const greeting = readGreeting(text);
    if (greeting === undefined) {
      running.process.kill('SIGKILL');
      return;
    }
    if (greeting.kind === 'failed') {
      this.#failStart(new EnvironmentError(greeting.code, greeting.message));
      return;
    }
    running.greeted = true;
    this.version = greeting.version;
    this.protocolNames = greeting.protocolNames;
    this.#settleStart?.resolve();
    this.#settleStart = undefined;
    this.#setReferences();
    this.#pump();
  }

  #failStart(error: EnvironmentError): void {
    this.isGone = true;
    this.#drop();
    this.#settleStart?.reject(error);
    this.#settleStart = undefined;
    this.#setReferences();
  }

  #pump(): void {
    const running = this.#running;
    if (running === undefined || !running.greeted) return;
    while (this.#freeSlots.length > 0) {
      const block = this.#queue.shift();
      if (block === undefined) return;
      const slot = this.#freeSlots.pop() as number;
      this.#exchange.write(slot, block.bytes, block.usedBytes);
      this.#slotBytes[slot] = block.usedBytes;
      running.input.write(encodeNotice(slot, block.usedBytes));
      block.usedBytes = 0;
      this.#pool.push(block);
    }
  }

  /** The child has worked a block off. */
  #release(slot: number): void {
    if (slot >= slotCount || this.#slotBytes[slot] === 0) return;
    this.#queuedBytes -= this.#slotBytes[slot] as number;
    this.#slotBytes[slot] = 0;
    this.#freeSlots.push(slot);
    this.#pump();
  }

  /** The child is dead and all that it said was read. */
  #bury(running: Running): void {
    if (running !== this.#running) return;
    this.#running = undefined;
    this.#drop();
    if (this.#isClosing) {
      this.#settleClose?.();
      return;
    }
    if (this.#settleStart !== undefined || this.isGone) {
      const reason = this.#errorText.trim().split('\n').findLast((line) => /\S/.test(line)) ?? 'it said nothing';
      this.#failStart(new EnvironmentError('ndpi-failed', `the nDPI child process did not start: ${reason}`));
      this.#handlers.onDeath();
      this.#handlers.onProgress();
      return;
    }
    this.#planRestart();
    this.#handlers.onDeath();
    this.#handlers.onProgress();
  }

  #planRestart(): void {
    const { restartPauseMs, restartPauseMsMax, fruitlessStartsMax } = this.#options;
    if (this.#fruitlessStarts >= fruitlessStartsMax) {
      this.isGone = true;
      return;
    }
    const pauseMs = Math.min(restartPauseMs * 2 ** this.#fruitlessStarts, restartPauseMsMax);
    this.#fruitlessStarts++;
    this.#restart = setTimeout(() => {
      this.restartCount++;
      this.#spawn();
    }, pauseMs);
    this.#setReferences();
  }

  #drop(): void {
    this.#pool.push(...this.#queue.splice(0));
    for (const block of this.#pool) block.usedBytes = 0;
    this.#freeSlots.length = 0;
    for (let slot = 0; slot < slotCount; slot++) this.#freeSlots.push(slot);
    this.#slotBytes.fill(0);
    this.#queuedBytes = 0;
    this.#block.usedBytes = 0;
  }

  #killWhenSilent(): void {
    const owes = this.#freeSlots.length < slotCount || this.awaitsVerdicts || this.#isClosing ||
      this.#running?.greeted === false;
    if (owes && this.#moves === this.#movesSeen) this.killChild();
    this.#movesSeen = this.#moves;
  }

  #noteError(text: string): void {
    this.#errorText = (this.#errorText + text).slice(-errorTextMax);
  }

  /** The child's handles keep this process alive only while somebody waits. */
  #setReferences(): void {
    const isHeld = this.#holds > 0 || this.#settleStart !== undefined;
    const handles: (ReferencedHandle | undefined)[] = [this.#running?.process, this.#restart,
      ...(this.#running?.process.stdio ?? [])]
      .map((handle) => handle as ReferencedHandle | undefined);
    for (const handle of handles) {
      if (isHeld) handle?.ref?.();
      else handle?.unref?.();
    }
  }
}

type ReferencedHandle = { ref?: () => unknown; unref?: () => unknown };

/**
 * Flags of this process that the child needs too: loader hooks, yes; an inspector, a test run or code to evaluate, no.
 */
function childArguments(flags: readonly string[]): string[] {
  const kept: string[] = [];
  for (let i = 0; i < flags.length; i++) {
    const flag = flags[i] as string;
    if (/^(-e|-p|-pe|--eval|--print)$/.test(flag)) i++;
    else if (!/^--(inspect|test|watch|eval|print|input-type)/.test(flag)) kept.push(flag);
  }
  return kept;
}
