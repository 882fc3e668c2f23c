/**
 * What methods of names and destinations learn from and decide on: how often a unit, or a home, showed each term within
 * windows of one length. A term is a name that was asked for, or a destination that flows went to; the methods do not
 * know which.
 */
import { assertInvariant, OperatorError } from '#base';
import type { DeviceKind } from '../inventory/inventory-table.ts';

/** Term to how often a window shows it, at least once. */
export type TermCounts = ReadonlyMap<string, number>;

/** A labelled unit and its windows, ascending in time, those without any term among them. */
export type TermUnit = {
  readonly name: string;
  readonly deviceModel: string;
  readonly kind: DeviceKind;
  readonly windows: readonly TermCounts[];
};

/** Events of a unit or a home, ascending in time; both arrays are as long as there are events. */
export type TermEvents = {
  /** Unix epoch. */
  readonly timeMs: Float64Array;
  /** Code of the event's term in `texts`; of code 0, the empty text, there is no term. */
  readonly code: Uint32Array;
};

/** A capture with a wrong clock must not become an endless row of empty windows. */
const windowsMax = 1_000_000;

/**
 * Windows [start, start + length) from the one with the first event to the one with the last. Events without a term
 * make windows, too: a device that sends and asks for nothing is there.
 *
 * @param texts  [code]: term, or the empty text for what is none; terms of one text are one
 */
export function cutWindows({ timeMs, code }: TermEvents, texts: readonly string[], windowMs: number): TermCounts[] {
  assertInvariant(timeMs.length === code.length && windowMs > 0, 'events without codes, or windows without length');
  if (timeMs.length === 0) return [];
  const first = Math.floor((timeMs[0] as number) / windowMs);
  const count = Math.floor((timeMs[timeMs.length - 1] as number) / windowMs) - first + 1;
  if (count > windowsMax) {
    const days = Math.round(count * windowMs / 86_400_000);
    throw new OperatorError('bad-columns', `Packets of one device lie ${days} days apart: the ` +
      'clock of a capture was wrong. Leave it out of the inventory, or set its times right.');
  }
  const windows = Array.from({ length: count }, () => new Map<string, number>());
  for (let i = 0; i < timeMs.length; i++) {
    const term = texts[code[i] as number] as string;
    if (term === '') continue;
    const window = windows[Math.floor((timeMs[i] as number) / windowMs) - first] as Map<string, number>;
    window.set(term, (window.get(term) ?? 0) + 1);
  }
  return windows;
}

/**
 * The place of each text's term in a list: what turns codes of packets or flows into tokens of windows.
 *
 * @param none  for texts whose term is not in the list
 */
export function placeTexts(terms: readonly string[], texts: readonly string[], none: number): Uint32Array {
  const places = new Map(terms.map((term, i) => [term, i]));
  return Uint32Array.from(texts, (text) => places.get(text) ?? none);
}

/** All windows of some units, or of other things with windows, as one. */
export function sumWindows(windows: Iterable<TermCounts>): Map<string, number> {
  const sums = new Map<string, number>();
  for (const window of windows) {
    for (const [term, count] of window) sums.set(term, (sums.get(term) ?? 0) + count);
  }
  return sums;
}

/** How many windows show each term. */
export function countWindows(windows: Iterable<TermCounts>): Map<string, number> {
  const counts = new Map<string, number>();
  for (const window of windows) {
    for (const term of window.keys()) counts.set(term, (counts.get(term) ?? 0) + 1);
  }
  return counts;
}

/**
 * Share of windows that rules of names and destinations ask for. Their publications count whatever a device was seen
 * with; then one name that is asked for once in a while, or the addresses of those who look at a camera from outside,
 * make a rule that hardly any window fulfils. Counted is what a third of the windows show.
 */
export const regularShare = 1 / 3;

/**
 * Terms that at least a share of the windows of a device model's units show, those without any term left out.
 *
 * @param units  its own, in windows of the length that decides, and others, which are not looked at
 */
export function listRegularTerms(
  deviceModel: string, units: readonly TermUnit[], shareMin: number,
): ReadonlySet<string> {
  const windows = units.filter((unit) => unit.deviceModel === deviceModel)
    .flatMap((unit) => unit.windows).filter(({ size }) => size > 0);
  return new Set([...countWindows(windows)].filter(([, count]) => count >= shareMin * windows.length - 1e-9)
    .map(([term]) => term));
}

/** Terms that any unit of a device model showed, by device model; those of non-IoT units stand by themselves. */
export type ShownTerms = {
  readonly byModel: ReadonlyMap<string, ReadonlySet<string>>;
  readonly ofNonIot: ReadonlySet<string>;
};

export function listShownTerms(units: readonly TermUnit[]): ShownTerms {
  const byModel = new Map<string, Set<string>>();
  const ofNonIot = new Set<string>();
  for (const { deviceModel, kind, windows } of units) {
    const known = kind === 'non-iot' ? ofNonIot : byModel.get(deviceModel) ?? new Set<string>();
    if (kind === 'iot') byModel.set(deviceModel, known);
    for (const window of windows) {
      for (const term of window.keys()) known.add(term);
    }
  }
  return { byModel, ofNonIot };
}

/** Device models that showed a term, in the order of the units. */
export function listModelsOfTerms({ byModel }: ShownTerms): Map<string, string[]> {
  const models = new Map<string, string[]>();
  for (const [deviceModel, terms] of byModel) {
    for (const term of terms) {
      const known = models.get(term);
      if (known === undefined) models.set(term, [deviceModel]);
      else known.push(deviceModel);
    }
  }
  return models;
}

/** The maker of a device model `type.make.version`; a text without dots is all there is to know. */
export function makeOf(deviceModel: string): string {
  return deviceModel.split('.')[1] ?? deviceModel;
}

/** At least this share of a number, in whole things, and at least one; products like 0.4 · 15 are meant exactly. */
export function ceilingShare(share: number, count: number): number {
  return Math.max(1, Math.ceil(share * count - 1e-9));
}
