/**
 * The files of a data set, one after the other: captures are metered, flow files read, both named as the data set wants
 * it, and handed on as flows. Every capture has a meter of its own, since captures are taken at different places and
 * times and do not continue each other.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { Counts, EnvironmentError, describeError, OperatorError, type ProblemCode } from '#base';
import { openByteSource, readCapture, recogniseCapture, type ByteSource } from '#capture';
import {
  Meter, type Dictionaries, type EmitFlows, type FlowBatch, type FlowSetInfo, type L7Source, type Namer,
  type ObservePackets,
} from '#flow';
import { flowFileKindTexts, readFlows, recogniseFlows, type FlowFileKind } from '#flow/files';

export type OpenNamer = (source: L7Source, emit: EmitFlows) => Promise<Namer>;

export type SourceOptions = {
  readonly l7Source: L7Source;
  readonly activeTimeoutMs: number;
  readonly idleTimeoutMs: number;
  /** How flow files were made that do not say it. */
  readonly madeAs?: FlowSetInfo | undefined;
  readonly openNamer: OpenNamer;
};

/** Takes the flows of a file; the batch is valid during the call. */
export type TakeFlows = (flows: FlowBatch, made: FlowSetInfo) => void;

/** Bytes that tell the kind of a file. */
const recogniseBytes = 1 << 16;

/** Kinds of files that a data set is made of. */
type SourceKind = { readonly is: 'capture' } | { readonly is: 'flows'; readonly fileKind: FlowFileKind };

export class SourceReader {
  readonly rejected = new Counts<ProblemCode>();
  /** What was cut, damaged or guessed, in sentences. */
  readonly remarks: string[] = [];
  /** Version of what named flows; '' when there is none. */
  l7Version = '';
  readonly #options: SourceOptions;
  readonly #dictionaries: Dictionaries;
  readonly #namers = new Map<L7Source, Namer>();
  /** The namer of the next capture, which starts while this one is read: a process takes a fifth of a second. */
  #nextNdpi: Promise<Namer> | undefined;
  #take: TakeFlows = () => undefined;
  #observe: ObservePackets | undefined;
  #made: FlowSetInfo | undefined;

  constructor(options: SourceOptions, dictionaries: Dictionaries) {
    this.#options = options;
    this.#dictionaries = dictionaries;
  }

  /**
   * Reads a file to its end.
   *
   * @param name     of the file in remarks
   * @param observe  sees every packet of a capture, before the flow that it belongs to is taken
   * @returns        what it is
   * @throws OperatorError     it cannot be read or is of no known kind
   * @throws EnvironmentError  libndpi is absent
   */
  async read(
    path: string, name: string, take: TakeFlows, observe?: ObservePackets,
  ): Promise<'capture' | 'flows'> {
    const source = await openByteSource(path, { headBytes: recogniseBytes });
    this.#take = take;
    this.#observe = observe;
    try {
      const kind = recogniseSource(source, name);
      if (kind.is === 'capture') await this.#readCapture(source, name);
      else await this.#readFlows(source, kind.fileKind, name);
      if (kind.is === 'flows' && source.problem !== undefined) this.remarks.push(`${name}: ${source.problem.detail}`);
      return kind.is;
    } finally {
      await source.close();
    }
  }

  async #readCapture(source: ByteSource, name: string): Promise<void> {
    const { l7Source, activeTimeoutMs, idleTimeoutMs } = this.#options;
    const namer = await this.#openNamer(l7Source);
    this.#made = {
      origin: 'natlens meter', l7Source, l7Version: namer.version, activeTimeoutMs, idleTimeoutMs, isBiflow: true,
    };
    const meter = new Meter({ activeTimeoutMs, idleTimeoutMs }, (flows) => namer.name(flows), {
      dictionaries: this.#dictionaries,
      observe: (packets, headers, slots, slotCount) => {
        namer.observe(packets, headers, slots, slotCount);
        this.#observe?.(packets, headers, slots, slotCount);
      },
    });
    const reading = readCapture(source, { allocate: meter.allocateWindow });
    for await (const batch of reading.batches()) {
      meter.add(batch);
      const busy = namer.whenReady();
      if (busy !== undefined) await busy;
    }
    meter.end();
    // Captures have conversations of the same addresses and ports in common: what one shows must not name another's.
    if (l7Source === 'ndpi') {
      await namer.end();
      this.#namers.delete('ndpi');
    }
    this.rejected.merge(reading.rejected);
    this.rejected.merge(meter.counts().rejected);
    for (const { detail } of reading.problems) this.remarks.push(`${name}: ${detail}`);
  }

  async #readFlows(source: ByteSource, kind: FlowFileKind, name: string): Promise<void> {
    const reading = readFlows(source, kind, { dictionaries: this.#dictionaries });
    let namer: Namer | undefined;
    let isFirst = true;
    for await (const batch of reading.batches()) {
      if (isFirst) {
        const wanted = this.#chooseNamer(reading.info, name);
        namer = wanted === undefined ? undefined : await this.#openNamer(wanted);
        this.#made = this.#describeMade(reading.info, kind, namer);
        if (this.#made.isBiflow === false) {
          throw new OperatorError('bad-option',
            `${name} has one record for each direction; natlens flows --pair joins them.`);
        }
        isFirst = false;
      }
      if (namer === undefined) this.#emit(batch);
      else namer.name(batch);
    }
    this.rejected.merge(reading.rejected);
    this.remarks.push(...[...reading.problems.map(({ detail }) => detail), ...reading.notes]
      .map((what) => `${name}: ${what}`));
  }

  /** Who names the flows of a file; undefined: they keep the names that they have. */
  #chooseNamer(info: FlowSetInfo | undefined, name: string): L7Source | undefined {
    const { l7Source } = this.#options;
    if (info?.l7Source === l7Source && l7Source !== 'exporter') return undefined;
    if (l7Source !== 'ndpi') return l7Source;
    this.remarks.push(`${name}: flow files hold no packets for nDPI to look at; their flows keep the names they have.`);
    return 'exporter';
  }

  #describeMade(info: FlowSetInfo | undefined, kind: FlowFileKind, namer: Namer | undefined): FlowSetInfo {
    const said = info ?? this.#options.madeAs ??
      { origin: flowFileKindTexts[kind], l7Source: 'exporter', l7Version: '', activeTimeoutMs: 0, idleTimeoutMs: 0 };
    // The exporter's namer keeps names; who gave them is what the file or its owner said.
    if (namer === undefined || namer.source === 'exporter') return said;
    return { ...said, l7Source: namer.source, l7Version: namer.version };
  }

  async #openNamer(source: L7Source): Promise<Namer> {
    let namer = this.#namers.get(source);
    if (namer === undefined) {
      namer = await (source === 'ndpi' ? this.#openNdpi() : this.#open(source));
      this.#namers.set(source, namer);
    }
    if (source === this.#options.l7Source) this.l7Version = namer.version;
    return namer;
  }

  #open(source: L7Source): Promise<Namer> {
    return this.#options.openNamer(source, (flows) => this.#emit(flows));
  }

  async #openNdpi(): Promise<Namer> {
    const namer = await (this.#nextNdpi ?? this.#open('ndpi'));
    this.#nextNdpi = this.#open('ndpi');
    // It is told of when somebody waits for this namer, who may never come.
    this.#nextNdpi.catch(() => undefined);
    return namer;
  }

  #emit(flows: FlowBatch): void {
    this.#take(flows, this.#made as FlowSetInfo);
  }

  /** Stops what still runs. Call it last, also after a failure. */
  async end(): Promise<void> {
    for (const namer of this.#namers.values()) await namer.end();
    const next = await this.#nextNdpi?.catch(() => undefined);
    await next?.end();
    this.#nextNdpi = undefined;
    this.#namers.clear();
  }
}

function recogniseSource(source: ByteSource, name: string): SourceKind {
  if (source.head.length === 0) {
    throw new OperatorError('input-empty', `${name} is empty, or nothing of it can be read: check how it was made.`);
  }
  if (recogniseCapture(source.head) !== undefined) return { is: 'capture' };
  const fileKind = recogniseFlows(source.head);
  if (fileKind !== undefined) return { is: 'flows', fileKind };
  throw new OperatorError('input-unknown-kind', `${name} is neither a capture (pcap, pcapng) nor a flow file that ` +
    `natlens knows (${Object.values(flowFileKindTexts).join(', ')}); natlens flows turns others into Parquet.`);
}

/** SHA-256 (hexadecimal) and size of a file. @throws EnvironmentError  the disk failed */
export async function digestFile(path: string): Promise<{ digest: string; bytes: number }> {
  const hash = createHash('sha256');
  let bytes = 0;
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 }) as AsyncIterable<Uint8Array>) {
      hash.update(chunk);
      bytes += chunk.length;
    }
  } catch (thrown) {
    throw new EnvironmentError('disk', `Reading ${path} failed: ${describeError(thrown)}.`, thrown);
  }
  return { digest: hash.digest('hex'), bytes };
}
