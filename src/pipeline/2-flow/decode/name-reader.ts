/**
 * Layer-7 names of records as dictionary codes: ntop's L7_PROTO_NAME and applicationName as text, Cisco's application
 * id by the table that its options told (RFC 6759 §4). A name that was read before is found by its bytes.
 */
import { limits } from '#base';
import type { Dictionary } from '../dictionary.ts';
import type { FlowBatch } from '../flow-batch.ts';
import { readText, type Run } from './field-kernels.ts';
import { type DomainOptions, readApplicationKey } from './options.ts';

type KnownName = { readonly bytes: Uint8Array; readonly code: number };

export class NameReader {
  readonly #dictionary: Dictionary;
  readonly #sources: Uint32Array;
  readonly #exporterCode: number;
  /** Names by the hash of their bytes; one name a slot, the last one stays. */
  readonly #known: (KnownName | undefined)[] = new Array<KnownName | undefined>(limits.nameMemoryEntries);
  /** Rows with an application id that no options record has named. */
  unexplainedCount = 0;

  constructor(batch: FlowBatch) {
    this.#dictionary = batch.dictionaries.applicationName;
    this.#sources = batch.columns.applicationNameSource;
    this.#exporterCode = batch.dictionaries.applicationNameSource.encode('exporter');
  }

  /** Names that stand in the records. */
  readNames(run: Run, out: Uint32Array): void {
    let at = run.at;
    for (let i = 0; i < run.count; i++, at += run.stride) {
      this.#set(run.row + i, this.#codeOf(run.bytes, at, run.lengthBytes), out);
    }
  }

  /** Names of application ids that stand in the records. */
  readApplications(run: Run, out: Uint32Array, options: DomainOptions): void {
    let at = run.at;
    for (let i = 0; i < run.count; i++, at += run.stride) {
      const name = run.lengthBytes > 0
        ? options.applications.get(readApplicationKey(run.bytes, at, run.lengthBytes)) : undefined;
      if (name === undefined) this.unexplainedCount++;
      else this.#set(run.row + i, this.#dictionary.encode(name), out);
    }
  }

  #set(row: number, code: number, out: Uint32Array): void {
    out[row] = code;
    if (code !== 0) this.#sources[row] = this.#exporterCode;
  }

  #codeOf(bytes: Uint8Array, at: number, lengthBytes: number): number {
    let end = at + Math.min(lengthBytes, limits.applicationNameLengthMax);
    while (end > at && bytes[end - 1] === 0) end--;
    if (end === at) return 0;
    let hash = end - at;
    for (let i = at; i < end; i++) hash = Math.imul(hash ^ (bytes[i] as number), 0x01000193);
    const slot = (hash >>> 0) % limits.nameMemoryEntries;
    const known = this.#known[slot];
    if (known !== undefined && isSameBytes(known.bytes, bytes, at, end)) return known.code;
    const code = this.#dictionary.encode(readText(bytes, at, end - at));
    this.#known[slot] = { bytes: bytes.slice(at, end), code };
    return code;
  }
}

function isSameBytes(known: Uint8Array, bytes: Uint8Array, at: number, end: number): boolean {
  if (known.length !== end - at) return false;
  for (let i = 0; i < known.length; i++) if (known[i] !== bytes[at + i]) return false;
  return true;
}
