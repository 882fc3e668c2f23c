/**
 * The collector's memory on disk: one file, written whole beside the old one and put in its place, so that a kill or a
 * full disk leaves the one or the other. In it: what the decoder knows of exporters, and what became of their rows.
 * Whoever can write it is trusted with no more than the accounts: bytes that are not ours are refused with a reason.
 */
import { createHash } from 'node:crypto';
import {
  closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, statSync, unlinkSync, writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { describeError, EnvironmentError, limits } from '#base';
import { makeFolders } from '#service';
import type { FlowAccount } from './flow-ledger.ts';

export const stateFileName = 'collector.state';

/** What is kept beside the decoder's own bytes. */
export type SavedState = {
  readonly savedMs: number;
  /** The collector ended in order: nothing was under way. */
  readonly isEnded: boolean;
  /** Name of the file that was being written; undefined: none. */
  readonly openFile: string | undefined;
  readonly accounts: readonly FlowAccount[];
  /** One-way records that waited for their other direction. */
  readonly pairingRecords: number;
  readonly decoder: Uint8Array;
};

/** Eight bytes: natlens collector state, version 1. */
const magic = new TextEncoder().encode('NLCSTAT1');
const digestBytes = 32;
const headBytes = magic.length + digestBytes + 4;

/** A state as bytes: magic, SHA-256 of the rest, length of the text, the text (JSON), the decoder's bytes. */
export function encodeState(state: SavedState): Uint8Array {
  const { decoder, ...told } = state;
  const text = Buffer.from(JSON.stringify(told), 'utf8');
  const out = Buffer.alloc(headBytes + text.length + decoder.length);
  out.set(magic, 0);
  out.writeUInt32BE(text.length, magic.length + digestBytes);
  out.set(text, headBytes);
  out.set(decoder, headBytes + text.length);
  out.set(digestOf(out), magic.length);
  return out;
}

/** The state, or a sentence's end that says why the bytes are none. */
export function decodeState(bytes: Uint8Array): SavedState | string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (buffer.length < headBytes) return 'it is cut';
  if (!buffer.subarray(0, 7).equals(magic.subarray(0, 7))) return 'it is no state of a collector';
  if (buffer[7] !== magic[7]) return 'it was written by another version of natlens';
  if (!digestOf(buffer).equals(buffer.subarray(magic.length, magic.length + digestBytes))) return 'it is damaged';
  const textLength = buffer.readUInt32BE(magic.length + digestBytes);
  if (textLength > buffer.length - headBytes) return 'it is cut';
  try {
    const told: unknown = JSON.parse(buffer.toString('utf8', headBytes, headBytes + textLength));
    return isTold(told) ? { ...told, openFile: told.openFile, decoder: buffer.subarray(headBytes + textLength) }
      : 'what is in it makes no sense';
  } catch {
    return 'what is in it makes no sense';
  }
}

function digestOf(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes.subarray(magic.length + digestBytes)).digest();
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

function isTold(value: unknown): value is Omit<SavedState, 'decoder'> {
  if (typeof value !== 'object' || value === null) return false;
  const { savedMs, isEnded, openFile, accounts, pairingRecords } = value as Partial<SavedState>;
  return typeof savedMs === 'number' && typeof isEnded === 'boolean' && isCount(pairingRecords) &&
    (openFile === undefined || (typeof openFile === 'string' && /^[\w.-]{1,200}$/.test(openFile))) &&
    Array.isArray(accounts) && accounts.length <= limits.exportDomainsMax + 1 &&
    accounts.every((account: unknown) => isAccount(account));
}

function isAccount(value: unknown): value is FlowAccount {
  if (typeof value !== 'object' || value === null) return false;
  const { exporter, domain, stored, open, notStored } = value as Partial<FlowAccount>;
  return typeof exporter === 'string' && /^[0-9a-f.:]{0,45}$/.test(exporter) && isCount(domain) && isCount(stored) &&
    isCount(open) && isCount(notStored);
}

export class StateFile {
  readonly path: string;
  /** When it was last written, and how large it was; undefined: not yet. */
  savedMs: number | undefined;
  bytes = 0;
  /** Why it cannot be written; undefined: it can. */
  fault: string | undefined;
  readonly #bytesMax: number;

  /**
   * Makes the folder when there is none.
   *
   * @throws EnvironmentError  `disk`
   */
  constructor(folder: string, bytesMax: number = limits.collectorStateBytesMax) {
    this.path = join(folder, stateFileName);
    this.#bytesMax = bytesMax;
    try {
      makeFolders(folder, 0o700);
    } catch (thrown) {
      throw new EnvironmentError('disk', `The state folder ${folder} cannot be made: ${describeError(thrown)}. Make ` +
        'it, and give it to the user that the collector runs as.', thrown);
    }
  }

  /**
   * The state of the run before.
   *
   * @returns undefined when there is none; a sentence when it cannot be used, and it was moved aside then
   * @throws EnvironmentError  `disk`: it cannot be read
   */
  load(): SavedState | string | undefined {
    if (!existsSync(this.path)) return undefined;
    try {
      const { size } = statSync(this.path);
      const state = size > this.#bytesMax ? `it has ${size} bytes, and ${this.#bytesMax} are the most`
        : decodeState(readFileSync(this.path));
      return typeof state === 'string' ? this.setAside(state) : state;
    } catch (thrown) {
      throw new EnvironmentError('disk', `The state ${this.path} cannot be read: ${describeError(thrown)}.`, thrown);
    }
  }

  /** Moves a state that cannot be used out of the way: it is never deleted. @returns  a sentence */
  setAside(because: string): string {
    const aside = `${this.path}.refused`;
    renameSync(this.path, aside);
    return `The state of the run before cannot be used, because ${because}; it is kept as ${aside}. Exporters are ` +
      'counted anew.';
  }

  /** Writes a state. @returns  false: it could not be written, `fault` says why, and the old one is still there */
  save(state: SavedState): boolean {
    const temporary = `${this.path}.new`;
    try {
      const bytes = encodeState(state);
      if (bytes.length > this.#bytesMax) throw new Error(`it would have ${bytes.length} bytes`);
      writeWhole(temporary, bytes);
      renameSync(temporary, this.path);
      this.savedMs = state.savedMs;
      this.bytes = bytes.length;
      this.fault = undefined;
      return true;
    } catch (thrown) {
      this.fault = describeError(thrown);
      dropFile(temporary);
      return false;
    }
  }
}

function writeWhole(path: string, bytes: Uint8Array): void {
  const file = openSync(path, 'w', 0o600);
  try {
    for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at);
    // Without it a power cut may leave the name without the bytes.
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

function dropFile(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // It was never made.
  }
}
