/**
 * Exports among the inputs of `natlens flows`: the export datagrams that a capture carries (`--exports`), and files of
 * bare datagrams or IPFIX messages, one after the other. Decodes them to flow records.
 */
import type { Counts, Problem, ProblemCode } from '#base';
import {
  customaryExportPorts, ExportDatagramFinder, fileDatagram, IpfixMessageSplitter, NetflowSplitter, readCapture,
  type ByteSource, type ExportFileKind,
} from '#capture';
import { ExportDecoder, type Dictionaries, type EmitFlows, type ExportCounts } from '#flow';

/** Time of arrival between two calls of `tell`. */
const tellEveryMs = 1_000;

export type ExportsInputOptions = {
  /** UDP ports of exports, besides the customary ones. */
  readonly exportPort?: readonly number[];
  /** Multiplies sampled counters by the sampling interval. */
  readonly renormalise?: boolean;
};

/** What reading one input gave. */
export type ExportsReading = {
  readonly packets: number;
  readonly rejected: Counts<ProblemCode> | undefined;
  readonly problems: readonly Problem[];
};

export class ExportsInput {
  readonly #finder: ExportDatagramFinder;
  readonly #decoder: ExportDecoder;
  readonly #tell: (timeMs: number) => void;
  #toldMs = -Infinity;

  /** @param tell  called as the time of arrival goes by, after the records that came before it */
  constructor(
    options: ExportsInputOptions, dictionaries: Dictionaries, emit: EmitFlows, tell: (timeMs: number) => void,
  ) {
    this.#tell = tell;
    this.#finder = new ExportDatagramFinder([...customaryExportPorts, ...options.exportPort ?? []]);
    this.#decoder = new ExportDecoder({ renormalise: options.renormalise === true }, emit, { dictionaries });
  }

  /** Packets of captures that carried a datagram. */
  get capturedDatagrams(): number {
    return this.#finder.datagramCount;
  }

  /** Packets of captures that carried none, by reason. */
  get rejectedPackets(): Counts<ProblemCode> {
    return this.#finder.rejected;
  }

  counts(): ExportCounts {
    return this.#decoder.counts();
  }

  /** Decodes the datagrams of a capture. @param rest  called between batches */
  async readCapture(source: ByteSource, rest: () => Promise<void>): Promise<ExportsReading> {
    const reading = readCapture(source);
    for await (const batch of reading.batches()) {
      for (const datagram of this.#finder.find(batch)) {
        this.#noteTime(datagram.receivedMs);
        this.#decoder.decode(datagram);
      }
      await rest();
    }
    return { packets: reading.frames, rejected: reading.rejected, problems: reading.problems };
  }

  #noteTime(receivedMs: number): void {
    if (receivedMs - this.#toldMs < tellEveryMs) return;
    this.#toldMs = receivedMs;
    this.#decoder.flush();
    this.#tell(receivedMs);
  }

  /** Decodes a file of bare messages. */
  async readFile(source: ByteSource, kind: ExportFileKind, rest: () => Promise<void>): Promise<ExportsReading> {
    const problems: Problem[] = [];
    if (kind === 'ipfix') {
      const splitter = new IpfixMessageSplitter();
      for await (const chunk of source.chunks()) {
        for (const message of splitter.push(chunk)) this.#decoder.decode(fileDatagram(message));
        await rest();
      }
      if (splitter.skippedBytes > 0) problems.push(
        describeLeft('damaged-file', splitter.skippedBytes, 'belong to no message'));
      if (splitter.keptBytes > 0) problems.push(
        describeLeft('cut-file', splitter.keptBytes, 'are the beginning of a message'));
    } else {
      const splitter = new NetflowSplitter();
      for await (const chunk of source.chunks()) {
        for (const datagram of splitter.push(chunk)) this.#decoder.decode(fileDatagram(datagram));
        await rest();
      }
      for (const datagram of splitter.end()) this.#decoder.decode(fileDatagram(datagram));
      if (splitter.skippedBytes > 0) problems.push(
        describeLeft('damaged-file', splitter.skippedBytes, 'belong to no datagram'));
    }
    if (source.problem !== undefined) problems.push(source.problem);
    return { packets: 0, rejected: undefined, problems };
  }

  /** Ends decoding: what still waits for its template is rejected. */
  end(): void {
    this.#decoder.end();
  }
}

function describeLeft(code: ProblemCode, bytes: number, what: string): Problem {
  return { code, detail: `${bytes} bytes of the file of exports ${what}.`, offsetBytes: -1 };
}
