/**
 * Sequence state and account of one domain in a saved state: both ways of numbering, their runs with holes, and the
 * open messages that these hold or that sets wait for. What is read must add up, so that no part can fall below zero.
 */
import { limits } from '#base';
import type { ExportDomain } from './export-domain.ts';
import { exportProblemCodes } from './export-types.ts';
import { type Hole, NumberRun } from './number-run.ts';
import { OpenMessage, type OpenUnits } from './open-message.ts';
import type { SequenceAccount } from './sequence.ts';
import type { StateBytes } from './state-bytes.ts';
import type { UnitFate, UnitParts } from './unit-parts.ts';

/** Either way of numbering; NetFlow v5 and v9 have the first alone. */
type Way = 'usual' | 'after';

const fates: readonly UnitFate[] = [...exportProblemCodes, 'limited'];

/** Runs to whose numbers an open message may belong: none, the last two, or one that is forgotten. */
const runNone = 0;
const runForgotten = 3;

/**
 * @param messages  the open messages of the domain: those that sets wait for; others are added
 * @param room      how many more may be read, of all domains together
 */
export function carryNumbering(bytes: StateBytes, { sequence, version }: ExportDomain, messages: OpenMessage[],
  room: { left: number }): void {
  const ways: readonly Way[] = version === 10 ? ['usual', 'after'] : ['usual'];
  sequence.isIpfix = version === 10;
  if (!bytes.isReading) for (const way of ways) addHeld(sequence[way], messages);
  const read: OpenMessage[] = [];
  bytes.list(messages, (message) => {
    if (message === undefined) bytes.expect(room.left-- > 0, 'The state has more open messages than there may be.');
    read.push(carryMessage(bytes, message, version === 9));
  });
  if (bytes.isReading) messages.push(...read);
  for (const way of ways) {
    const account = sequence[way];
    account.restarts = bytes.count(account.restarts);
    account.reordered = bytes.count(account.reordered);
    account.wrapped = bytes.count(account.wrapped);
    account.misfits = bytes.count(account.misfits);
    carryParts(bytes, account.parts);
    const [current, previous] = account.runs;
    const run = carryRun(bytes, current, account, { messages, way });
    const before = carryRun(bytes, previous, account, { messages, way });
    if (run !== undefined && bytes.isReading) run.isResumed = true;
    account.resume(run, before);
    const forgotten = new NumberRun(account.parts);
    for (const message of messages) carryOpen(bytes, message[way], [run, before, forgotten]);
  }
}

/** True when the account of a domain that was read adds up; asked when it is known which messages wait. */
export function isSound({ sequence, version }: ExportDomain, messages: readonly OpenMessage[]): boolean {
  const ways: readonly Way[] = version === 10 ? ['usual', 'after'] : ['usual'];
  return messages.every(({ waitingSets, fate }) => waitingSets > 0 || fate !== undefined) &&
    ways.every((way) => isAccountSound(sequence[way], messages.map((message) => message[way])));
}

function isAccountSound({ parts, runs }: SequenceAccount, opens: readonly OpenUnits[]): boolean {
  if (parts.sum !== parts.sent) return false;
  const least = { kernel: 0, way: 0, stopped: 0, gaps: 0 };
  const owned = new Map<OpenUnits, number>();
  for (const { units, kernel, isStopped, owner } of runs.flatMap((run) => run?.holes ?? [])) {
    if (owner !== undefined) {
      owned.set(owner, (owned.get(owner) ?? 0) + units);
      continue;
    }
    least.gaps++;
    if (isStopped) least.stopped += units;
    else {
      least.kernel += kernel;
      least.way += units - kernel;
    }
  }
  for (const [owner, units] of owned) if (units > owner.units) return false;
  let waiting = 0;
  const byFate = new Map<UnitFate, number>();
  for (const open of opens) {
    const { fate } = open.message;
    if (open.isWaiting) waiting += open.units;
    else if (fate !== undefined) byFate.set(fate, (byFate.get(fate) ?? 0) + open.units);
  }
  for (const [fate, units] of byFate) if (units > (parts.byFate.get(fate) ?? 0)) return false;
  return waiting === parts.waiting && least.kernel <= parts.lostInKernel && least.way <= parts.lostOnTheWay &&
    least.stopped <= parts.lostWhileStopped && least.gaps <= parts.gaps;
}

/** Adds the open messages that no set waits for any more, but whose units may still be found. */
function addHeld({ runs }: SequenceAccount, messages: OpenMessage[]): void {
  for (const run of runs) {
    for (const open of [run?.open, run?.firstOpen, ...run?.holes.map(({ owner }) => owner) ?? []]) {
      if (open !== undefined && !messages.includes(open.message)) messages.push(open.message);
    }
  }
}

function carryFate(bytes: StateBytes, given: UnitFate | undefined): UnitFate | undefined {
  const text = bytes.text(given ?? '');
  const fate = fates.find((each) => each === text);
  bytes.expect(fate !== undefined || text === '', 'The state has a reason that there is none of.');
  return fate;
}

function carryMessage(bytes: StateBytes, given: OpenMessage | undefined, isCounted: boolean): OpenMessage {
  const message = given ?? new OpenMessage(isCounted);
  message.fate = carryFate(bytes, message.fate);
  message.unitsMax = bytes.count(message.unitsMax);
  return message;
}

function carryOpen(bytes: StateBytes, open: OpenUnits, runs: readonly [...(NumberRun | undefined)[], NumberRun]): void {
  open.units = bytes.count(open.units);
  open.isDropped = bytes.flag(open.isDropped);
  open.isStopped = bytes.flag(open.isStopped);
  const { run } = open;
  const known = run === undefined ? -1 : runs.indexOf(run);
  const place = bytes.byte(run === undefined ? runNone : known < 0 ? runForgotten : known + 1);
  bytes.expect(place <= runForgotten, 'The state has a run that there is none of.');
  if (bytes.isReading) open.run = place === runNone ? undefined : runs[place - 1];
}

function carryParts(bytes: StateBytes, parts: UnitParts): void {
  parts.sent = bytes.count(parts.sent);
  parts.decoded = bytes.count(parts.decoded);
  parts.waiting = bytes.count(parts.waiting);
  parts.lostInKernel = bytes.count(parts.lostInKernel);
  parts.lostOnTheWay = bytes.count(parts.lostOnTheWay);
  parts.lostWhileStopped = bytes.count(parts.lostWhileStopped);
  parts.gaps = bytes.count(parts.gaps);
  bytes.list(parts.byFate, (entry) => {
    const fate = carryFate(bytes, entry?.[0]);
    const units = bytes.count(entry?.[1] ?? 0);
    if (entry !== undefined) return;
    if (fate === undefined) bytes.expect(false, 'The state has units without a reason.');
    else parts.byFate.set(fate, units);
  });
}

type Held = { readonly messages: readonly OpenMessage[]; readonly way: Way };

function carryRun(bytes: StateBytes, given: NumberRun | undefined, { parts }: SequenceAccount, held: Held):
NumberRun | undefined {
  if (!bytes.flag(given !== undefined)) return undefined;
  const run = given ?? new NumberRun(parts);
  run.first = bytes.word(run.first);
  run.expected = bytes.word(run.expected);
  run.startedMs = bytes.double(run.startedMs);
  run.firstExportMs = bytes.finite(run.firstExportMs);
  run.latest = bytes.word(run.latest);
  run.latestExportMs = bytes.finite(run.latestExportMs);
  run.latestSentMs = bytes.finite(run.latestSentMs);
  run.messages = bytes.count(run.messages);
  run.open = carryOwner(bytes, run.open, held);
  run.firstOpen = carryOwner(bytes, run.firstOpen, held);
  bytes.list(given?.holes ?? [], (hole) => {
    const read = carryHole(bytes, hole, held);
    if (hole !== undefined) return;
    const isGood = read.units > 0 && read.kernel <= read.units && run.holes.length < limits.sequenceHolesMax;
    if (bytes.expect(isGood, 'The state has a hole that there is none of.')) run.holes.push(read);
  });
  return run;
}

function carryHole(bytes: StateBytes, hole: Hole | undefined, held: Held): Hole {
  return {
    from: bytes.word(hole?.from ?? 0), units: bytes.count(hole?.units ?? 0), kernel: bytes.count(hole?.kernel ?? 0),
    isStopped: bytes.flag(hole?.isStopped ?? false), owner: carryOwner(bytes, hole?.owner, held),
  };
}

/** An open message by its place among those of the domain; 0 is none. */
function carryOwner(bytes: StateBytes, given: OpenUnits | undefined, { messages, way }: Held): OpenUnits | undefined {
  const place = bytes.word(given === undefined ? 0 : messages.indexOf(given.message) + 1);
  if (place === 0) return undefined;
  bytes.expect(place <= messages.length, 'The state has a message that there is none of.');
  return messages[place - 1]?.[way];
}
