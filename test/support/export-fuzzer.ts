/**
 * The fuzz loop over an export decoder: sessions of messages, each made from its own seed, with checks after every
 * chunk. What is wrong comes back as a finding with the seed and the fewest messages that show it. Used by the unit
 * test, by the million of test/system, and by the planted bugs that prove that the loop finds something.
 */
import { isDeepStrictEqual } from 'node:util';
import { Random } from '#base';
import type { ExportDecoder } from '../../src/pipeline/2-flow/decode/export-decoder.ts';
import {
  type DomainAccount, type ExportCounts, type ExportDatagram, exportDecoderDefaults, type ExportDecoderOptions,
} from '../../src/pipeline/2-flow/decode/export-types.ts';
import { ExportAccount } from './export-account.ts';
import { type Corpus, mutateMessage, setDomain } from './export-mutator.ts';
import { createHostileMessage } from './hostile-messages.ts';

export type DecoderClass = typeof ExportDecoder;

/** How the decoder of a session is made, and who talks to it. */
type Setting = {
  readonly options: Partial<ExportDecoderOptions>;
  readonly exporters: number;
  readonly domains: number;
  /** Messages between two checks. */
  readonly chunkMessages: number;
};

const tiny: Partial<ExportDecoderOptions> = {
  batchRows: 5, exportDomainsMax: 14, exportDomainsOfAddressMax: 9, templatesPerDomainMax: 24, templatesTotalMax: 60,
  templateFieldsMax: 40, templateFieldsTotalMax: 400,
  waitingBytesMax: 12_000, waitingMs: 300, optionEntriesMax: 4, duplicateMemoryBytes: 4096,
};

/** Sessions take these in turn. Where copies of datagrams are not looked for, the second account is kept. */
const settings: readonly Setting[] = [
  { options: { ...tiny, duplicateMemoryBytes: 0 }, exporters: 2, domains: 2, chunkMessages: 25 },
  { options: tiny, exporters: 1, domains: 2, chunkMessages: 25 },
  { options: { duplicateMemoryBytes: 0, batchRows: 64 }, exporters: 2, domains: 3, chunkMessages: 100 },
  { options: { ...tiny, templatesPerDomainMax: 60, templateFieldsTotalMax: 5000, waitingBytesMax: 60_000,
    waitingMs: 1000, duplicateMemoryBytes: 0, renormalise: true }, exporters: 1, domains: 5, chunkMessages: 25 },
  { options: {}, exporters: 2500, domains: 2, chunkMessages: 1000 },
];

/** Sessions after which all settings have had a turn. */
export const settingCount = settings.length;

const settingOf = (session: number): Setting => settings[session % settings.length] as Setting;

export type FuzzPlan = {
  readonly seed: number;
  readonly corpus: Corpus;
  readonly sessionMessages: number;
};

export type Finding = {
  readonly what: string;
  /** Says how to see it again. */
  readonly reproduce: string;
  readonly messages: readonly string[];
};

/** One in forty messages is hostile by design, one in thirty comes again; the others are changed real ones. */
const hostileShare = 1 / 40;
const repeatedShare = 1 / 30;
const startMs = 1_700_000_000_000;

/** The messages of a session: a function of the plan's seed and the session's number, whatever a decoder does. */
export function* createMessages({ seed, corpus, sessionMessages }: FuzzPlan, session: number):
Generator<ExportDatagram, void, void> {
  const random = new Random(seed ^ Math.imul(session + 1, 0x9e3779b1));
  const { exporters, domains } = settingOf(session);
  const last: ExportDatagram[] = [];
  let index = 0;
  let receivedMs = startMs;
  for (let i = 0; i < sessionMessages; i++) {
    receivedMs += random.chance(0.01) ? random.integer(-500, 2000) : random.integer(0, 10);
    if (last.length === 4 && random.chance(repeatedShare)) {
      yield { ...random.pick(last), receivedMs };
      continue;
    }
    // Neighbours of the corpus are of one exporter: mostly the next one follows.
    index = random.chance(0.3) ? random.integer(0, corpus.length - 1) : index + 1;
    const bytes = random.chance(hostileShare) ? createHostileMessage(random) : mutateMessage(random, corpus, index);
    // Domains are few, so that messages meet each other's templates.
    if (random.chance(0.995)) setDomain(bytes, random.integer(0, domains - 1));
    const datagram: ExportDatagram = { bytes, exporter: [0, 0, 0xffff, random.integer(1, exporters)], receivedMs };
    if (last.push(datagram) > 4) last.shift();
    yield datagram;
  }
}

/** Sums of everything that a batch holds, and whether all of it can be. */
class RowSum {
  rows = 0;
  sum = 0;
  notFinite = '';

  add({ columns, rowCount }: Parameters<ConstructorParameters<DecoderClass>[1]>[0]): void {
    this.rows += rowCount;
    for (const [name, column] of Object.entries(columns)) {
      const width = column.length / columns.protocolIdentifier.length;
      for (let i = 0; i < rowCount * width; i++) {
        const value = column[i] as number;
        if (!Number.isFinite(value)) this.notFinite = name;
        this.sum = (Math.imul(this.sum, 31) + (value % 4_294_967_291)) | 0;
      }
    }
  }
}

/**
 * Every message is decoded twice: among zeros by the kernel, among other bytes without it. A decoder that reads beyond
 * a message reads what differs, and so do two that are not the same.
 */
const twins = [{ kernel: 'wasm', surrounding: 0x00 }, { kernel: 'none', surrounding: 0xa5 }] as const;

/** The bytes of a message between others. */
function surround(bytes: Uint8Array, value: number): Uint8Array {
  const whole = new Uint8Array(bytes.length + 32).fill(value);
  whole.set(bytes, 16);
  return whole.subarray(16, 16 + bytes.length);
}

/** Undefined, or why an account cannot be: units that have no place, or more places than there are units. */
export function findAccountFault(account: DomainAccount): string | undefined {
  const { sent, decoded, waiting, lostInKernel, lostOnTheWay, lostWhileStopped, limited, undecodable } = account;
  const parts = [decoded, waiting, lostInKernel, lostOnTheWay, lostWhileStopped, limited,
    ...Object.values(undecodable)];
  if (parts.some((part) => part < 0 || !Number.isSafeInteger(part))) return 'an account has an impossible part';
  const sum = parts.reduce((total, part) => total + part, 0);
  return sum === sent ? undefined : `an account has ${sent} units, and places for ${sum}`;
}

/** The twins, and the second account of what they are given. */
class Examination {
  readonly #all: ExportDecoderOptions;
  readonly #decoders: readonly InstanceType<DecoderClass>[];
  readonly #sums = twins.map(() => new RowSum());
  readonly #account: ExportAccount | undefined;
  #bytes = 0;
  #decodedBytes = 0;
  #rejectedBytes = 0;

  constructor(Decoder: DecoderClass, { options }: Setting) {
    this.#all = { ...exportDecoderDefaults, ...options };
    this.#decoders = twins.map(({ kernel }, i) =>
      new Decoder({ ...options, kernel }, (batch) => this.#sums[i]?.add(batch)));
    this.#account = this.#all.duplicateMemoryBytes === 0 ? new ExportAccount(this.#all) : undefined;
  }

  get counts(): ExportCounts {
    return (this.#decoders[0] as ExportDecoder).counts();
  }

  /** Gives a message to the decoders; undefined, or what is wrong. */
  take(datagram: ExportDatagram): string | undefined {
    this.#bytes += datagram.bytes.length;
    this.#account?.take(datagram);
    for (const [i, decoder] of this.#decoders.entries()) {
      const bytes = surround(datagram.bytes, twins[i]?.surrounding ?? 0);
      try {
        decoder.decode({ ...datagram, bytes });
      } catch (error) {
        return `decode threw: ${String(error)}`;
      }
      if (Buffer.compare(bytes, datagram.bytes) !== 0) return 'the message was written to';
    }
    return undefined;
  }

  end(): string | undefined {
    for (const decoder of this.#decoders) decoder.end();
    this.#account?.end();
    const { waiting, flows } = this.counts;
    if (waiting.sets !== 0 || waiting.bytes !== 0) return 'sets wait behind the end';
    if (flows !== this.#sums[0]?.rows) return `${flows} flows are counted, ${this.#sums[0]?.rows} rows were emitted`;
    return this.check();
  }

  /** Undefined, or what is wrong with the counts. */
  check(): string | undefined {
    const counts = this.counts;
    const other = this.#decoders[1]?.counts();
    const [sum, otherSum] = this.#sums;
    if (!isDeepStrictEqual(counts, other)) return 'counts depend on the kernel, or on bytes outside of the messages';
    if (sum?.sum !== otherSum?.sum) return 'rows depend on the kernel, or on bytes outside of the messages';
    if (sum?.notFinite !== '') return `a row has a ${sum?.notFinite} that is no finite number`;
    return this.#checkSums(counts, sum.rows) ?? this.#checkLimits(counts) ?? this.#checkAccount(counts);
  }

  #checkSums({ bytes, bytesByFate, exporters, flows, records, optionsRecords, otherRecords, waiting }: ExportCounts,
    rows: number): string | undefined {
    const { decoded, rejected } = bytesByFate;
    if (bytes !== this.#bytes) return `${this.#bytes} bytes came in, ${bytes} are counted`;
    if (decoded + bytesByFate.waiting + rejected !== bytes) return `fates do not sum to ${bytes} bytes`;
    if (decoded < this.#decodedBytes || rejected < this.#rejectedBytes) return 'bytes changed a final fate';
    this.#decodedBytes = decoded;
    this.#rejectedBytes = rejected;
    if (flows + optionsRecords + otherRecords !== records || otherRecords < 0) return 'records do not sum';
    if (flows < rows || flows - rows >= this.#all.batchRows) return `${flows} flows are counted, ${rows} rows emitted`;
    const sumOf = (name: 'records' | 'waitingSets'): number => exporters.reduce((sum, each) => sum + each[name], 0);
    if (sumOf('records') !== records) return 'records of the domains do not sum';
    if (sumOf('waitingSets') !== waiting.sets) return 'waiting sets of the domains do not sum';
    for (const { account } of exporters) {
      const fault = findAccountFault(account);
      if (fault !== undefined) return fault;
    }
    return exporters.every(({ lostUnits, sequenceGaps, reordered, restarts, duplicates, datagrams }) =>
      sequenceGaps >= 0 && lostUnits >= sequenceGaps && reordered + restarts + duplicates <= datagrams)
      ? undefined : 'a sequence account is impossible';
  }

  #checkLimits({ exporters, waiting }: ExportCounts): string | undefined {
    const { exportDomainsMax, templatesPerDomainMax, waitingBytesMax } = this.#all;
    if (waiting.bytes > waitingBytesMax) return `${waiting.bytes} bytes wait, ${waitingBytesMax} are allowed`;
    if (exporters.length > exportDomainsMax) return `${exporters.length} domains, ${exportDomainsMax} are allowed`;
    const most = Math.max(0, ...exporters.map(({ templates }) => templates));
    return most > templatesPerDomainMax ? `${most} templates, ${templatesPerDomainMax} are allowed` : undefined;
  }

  #checkAccount(counts: ExportCounts): string | undefined {
    if (this.#account === undefined) return undefined;
    const { records, flows, optionsRecords, templates, withdrawals, bytesByFate, waiting } = counts;
    const ours: Record<string, unknown> = {
      records, flows, optionsRecords, templates, withdrawals, bytesByFate, waiting,
      rejected: Object.fromEntries(Object.entries(counts.rejected).filter(([, count]) => count > 0)),
      domains: counts.exporters.map((each) => [each.datagrams, each.records, each.templates, each.waitingSets]),
    };
    for (const [name, theirs] of Object.entries(this.#account.totals())) {
      if (isDeepStrictEqual(ours[name], theirs)) continue;
      return `the second account differs in ${name}: ${JSON.stringify(ours[name])}, not ${JSON.stringify(theirs)}`;
    }
    return undefined;
  }
}

export type Listener = {
  readonly chunkMessages?: number;
  readonly onMessage?: (index: number) => void;
  /** Before a message is decoded again to make a finding smaller. */
  readonly onShrink?: () => void;
  readonly onEnd?: (counts: ExportCounts) => void;
};

/** Runs messages through new decoders; what is wrong, and after how many messages. */
function examine(Decoder: DecoderClass, session: number, messages: Iterable<ExportDatagram>, more: Listener):
{ what: string; taken: number } | undefined {
  const setting = settingOf(session);
  const chunkMessages = more.chunkMessages ?? setting.chunkMessages;
  const examination = new Examination(Decoder, setting);
  let taken = 0;
  for (const datagram of messages) {
    more.onMessage?.(taken);
    let what = examination.take(datagram);
    taken++;
    if (what === undefined && taken % chunkMessages === 0) what = examination.check();
    if (what !== undefined) return { what, taken };
  }
  const what = examination.end();
  more.onEnd?.(examination.counts);
  return what === undefined ? undefined : { what, taken };
}

/** Messages that making a finding smaller may take. */
const shrinkMessagesMax = 60_000;

/** Leaves out messages, large pieces first, as long as anything is still wrong. */
function shrink(Decoder: DecoderClass, session: number, failing: readonly ExportDatagram[], { onShrink }: Listener):
{ what: string; messages: readonly ExportDatagram[] } {
  const each: Listener = { chunkMessages: 1, onMessage: () => onShrink?.() };
  let first = examine(Decoder, session, failing, each);
  let messages = failing.slice(0, first?.taken ?? failing.length);
  let left = shrinkMessagesMax;
  for (let piece = messages.length >> 1; piece > 0; piece >>= 1) {
    for (let at = 0; at < messages.length && left > 0;) {
      const fewer = [...messages.slice(0, at), ...messages.slice(at + piece)];
      left -= fewer.length;
      const still = examine(Decoder, session, fewer, each);
      if (still === undefined) at += piece;
      else {
        messages = fewer.slice(0, still.taken);
        first = still;
      }
    }
  }
  return { what: first?.what ?? 'seen once, then not again', messages };
}

/** A message as it is printed: who sent it, when, and its bytes. */
export const printMessage = ({ bytes, exporter, receivedMs }: ExportDatagram): string =>
  `exporter ${exporter[3]} at +${receivedMs - startMs} ms: ${Buffer.from(bytes).toString('hex')}`;

/** One session; undefined, or a finding. */
export function fuzzSession(Decoder: DecoderClass, plan: FuzzPlan, session: number,
  more: Listener = {}): Finding | undefined {
  const found = examine(Decoder, session, createMessages(plan, session), more);
  if (found === undefined) return undefined;
  const failing = [...createMessages(plan, session)].slice(0, found.taken);
  const { what, messages } = shrink(Decoder, session, failing, more);
  return {
    what,
    reproduce: `seed ${plan.seed}, session ${session}, message ${found.taken - 1} (first seen: ${found.what}); ` +
      `options ${JSON.stringify(settingOf(session).options)}`,
    messages: messages.map(printMessage),
  };
}
