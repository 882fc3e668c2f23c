/**
 * The files of a collector: a `RotatingSink` that tells the ledger what becomes of rows. A folder that cannot be used
 * at the start is told at once; one that fails later costs rows, counted, until it works again.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describeError, EnvironmentError, type Clock } from '#base';
import type { FlowBatch, FlowSetInfo, L7Source } from '#flow';
import { RotatingSink } from '#flow/files';
import { makeFolders } from '#service';
import type { RowSink } from './collector-core.ts';
import type { OutputConfig } from './config/collector-config.ts';
import type { FlowLedger } from './flow-ledger.ts';
import type { OutputStatus } from './status.ts';

export type OutputParts = {
  readonly l7: L7Source;
  /** Both directions of a conversation are in one record. */
  readonly isBiflow: boolean;
  readonly clock: Clock;
  /** Found when the first row comes. */
  readonly ledger: () => FlowLedger;
  /** A file is about to get its name. */
  readonly onFinishing: () => void;
};

const prefix = 'flows';

export class FlowOutput implements RowSink {
  readonly #sink: RotatingSink;
  readonly #folder: string;
  readonly #leftOver: readonly string[];

  /**
   * Makes the folder when there is none, and puts what a kill left unfinished aside.
   *
   * @throws EnvironmentError  `disk`: the folder cannot be used
   */
  static open(config: OutputConfig, parts: OutputParts): FlowOutput {
    const { folder } = config;
    try {
      makeFolders(folder, 0o700);
    } catch (thrown) {
      throw new EnvironmentError('disk',
        `The output folder ${folder} cannot be made: ${describeError(thrown)}.`, thrown);
    }
    return new FlowOutput(config, parts);
  }

  private constructor(config: OutputConfig, parts: OutputParts) {
    const { folder, rotateMs, fileBytesMax, compression, keepBytesMax, keepMs } = config;
    const { ledger, onFinishing } = parts;
    const info: FlowSetInfo = {
      origin: 'natlens collect', l7Source: parts.l7, l7Version: '', activeTimeoutMs: 0, idleTimeoutMs: 0,
      ...parts.isBiflow ? { isBiflow: true } : {},
    };
    this.#folder = folder;
    this.#sink = new RotatingSink({
      folder, prefix, everyMs: rotateMs, bytesMax: fileBytesMax, compression, keepBytesMax, keepMs,
      onLost: (batch, first, end) => ledger().lose(batch, first, end),
      onWritten: (rows) => ledger().noteWritten(rows),
      onFinishing, onFinished: () => ledger().noteWhole(), onBroken: (rows) => ledger().noteBroken(rows),
    }, info);
    const { broken, fault } = this.#sink.open(parts.clock.nowMs());
    if (fault !== undefined) {
      throw new EnvironmentError('disk', `The output folder ${folder} cannot be used: ${fault}. Give it to the user ` +
        'that the collector runs as.');
    }
    this.#leftOver = broken;
  }

  /** Name of the file that is being written. */
  get openFile(): string | undefined {
    return this.#sink.openFile;
  }

  get isFailing(): boolean {
    return this.#sink.counts().isFailing;
  }

  get lastError(): string | undefined {
    return this.#sink.counts().lastError?.text;
  }

  write(batch: FlowBatch, nowMs: number): number {
    return this.#sink.write(batch, nowMs);
  }

  tick(nowMs: number): void {
    this.#sink.tick(nowMs);
  }

  end(): void {
    this.#sink.end();
  }

  /** Is a file of this name whole? */
  hasFile(name: string): boolean {
    return existsSync(join(this.#folder, name));
  }

  status(): OutputStatus {
    const { files, rows, bytes, waitingRows, failedRows, isFailing, lastError, deletedFiles } = this.#sink.counts();
    return {
      folder: this.#folder, files, rows, bytes, waitingRows, failedRows, isFailing, lastError: lastError?.text ?? null,
      deletedFiles, leftOver: this.#leftOver,
    };
  }
}
