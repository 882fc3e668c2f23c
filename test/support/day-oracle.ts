/**
 * What a detector must have found and counted after a simulated day, from the plan of the faults alone: which records
 * came through, when, with which times; and what of them sequence numbers can tell. Knows nothing of decoder, pairer or
 * engine; evidence is the lab's, by definition.
 */
import { createFlowBatch, type FlowBatch } from '#flow';
import { forgetInitiator, forgetResponder, putRecord, type ExportedMessage, type ExportedRecord } from '#sim';
import { checkpointsOf, type DayPlan, type ExporterArrival } from './detector-day.ts';

/** What an exporter saw and sent, and what became of it on the way. */
export type ExporterStory = {
  readonly exporter: string;
  readonly version: 9 | 10;
  readonly flows: FlowBatch;
  readonly messages: readonly ExportedMessage[];
  readonly arrivals: readonly ExporterArrival[];
  readonly unsentRows: readonly number[];
};

/** How the detector is set up, as far as it matters here. */
export type OracleSettings = {
  readonly isPaired: boolean;
  /** A flow is handed on so long after the first datagram that waits to be. */
  readonly flushMs: number;
  readonly pairWaitMs: number;
  readonly templateWaitMs: number;
  readonly clockSkewMs: number;
  readonly checkpointMs: number;
};

/** A flow that the detector must have taken in. */
export type ForeseenFlow = {
  readonly exporter: string;
  readonly row: number;
  readonly direction: ExportedRecord['direction'];
  readonly handedMs: number;
  /** What its times are moved by, from true to steady ones. */
  readonly movedMs: number;
  readonly isMisdated: boolean;
  /** It was evidence when the detector was killed, and was not yet written. */
  readonly isForgotten: boolean;
  /** Number of the detector's run. */
  readonly run: number;
};

/** What one run of the detector must count of one exporter. */
export type ForeseenCounts = {
  datagrams: number; duplicates: number; lostUnits: number; reordered: number; restarts: number; records: number;
};

/** What the detector never had, in flow records. */
export type ForeseenLoss = {
  /** Lost on the way, and missing in the sequence numbers. */
  readonly told: number;
  /** Lost on the way, or come while there was no detector, where no number tells it. */
  readonly untold: number;
  /** Came, and nobody could read them. */
  readonly undecoded: number;
  /** Held by an exporter that restarted, or not seen by it. */
  readonly unsent: number;
};

export type ForeseenRun = {
  readonly fromMs: number;
  readonly untilMs: number;
  readonly exporters: ReadonlyMap<string, ForeseenCounts>;
  readonly flows: number;
  readonly misdated: number;
  /** Sets that no template came for in time. */
  readonly undecodedSets: number;
  readonly undecodedRecords: number;
};

type Handed = {
  readonly story: ExporterStory; readonly message: ExportedMessage; readonly record: ExportedRecord;
  readonly handedMs: number;
};

/** @returns flows in the order in which they are handed on, and what each run counts */
export function foresee(stories: readonly ExporterStory[], plan: DayPlan, settings: OracleSettings): {
  flows: ForeseenFlow[]; runs: ForeseenRun[]; loss: ForeseenLoss;
} {
  const starts = [plan.startMs, ...plan.stops.map(({ upMs }) => upMs)];
  const all = stories.flatMap((story) => story.arrivals.map((arrival) => ({ ...arrival, story })))
    .sort((a, b) => a.atMs - b.atMs);
  const flows: ForeseenFlow[] = [];
  const came = new Set<ExportedMessage>();
  const missed = new Set<ExportedMessage>();
  const runs = starts.map((fromMs, run): ForeseenRun => {
    const stop = plan.stops[run];
    const untilMs = stop?.atMs ?? plan.endMs;
    const arrivals = all.filter(({ atMs }) => atMs >= fromMs && atMs < untilMs);
    const isKill = stop?.isKill === true;
    const { handed, undecoded } = decodeInOrder(arrivals, { untilMs, isKill }, settings);
    const writtenMs = isKill
      ? checkpointsOf(plan, settings.checkpointMs).findLast((atMs) => atMs < untilMs) ?? -Infinity : Infinity;
    const found = joinDirections(handed, { untilMs, isKill }, settings).map((flow): ForeseenFlow => {
      const { handedMs } = flow;
      const stepsMs = plan.clockSteps.filter(({ atMs }) => atMs < handedMs).reduce((sum, { byMs }) => sum + byMs, 0);
      const endMs = flow.endMs - stepsMs;
      const isMisdated = Math.abs(endMs - handedMs) > settings.clockSkewMs;
      return {
        exporter: flow.exporter, row: flow.row, direction: flow.direction, handedMs, run, isMisdated,
        movedMs: (isMisdated ? handedMs : endMs) - flow.trueEndMs, isForgotten: handedMs > writtenMs,
      };
    });
    flows.push(...found);
    for (const { message } of arrivals) came.add(message);
    return {
      fromMs, untilMs, flows: found.length, misdated: found.filter(({ isMisdated }) => isMisdated).length,
      undecodedSets: undecoded.length,
      undecodedRecords: undecoded.reduce((sum, { records }) => sum + records.length, 0),
      exporters: new Map(stories.map((story) => [
        story.exporter,
        countArrivals(story, arrivals.filter((arrival) => arrival.story === story), { undecoded, missed }),
      ])),
    };
  });
  const recordsOf = (messages: Iterable<ExportedMessage>): number =>
    [...messages].reduce((sum, { records }) => sum + records.length, 0);
  const gone = stories.flatMap(({ messages }) => messages).filter((message) => !came.has(message));
  return {
    flows, runs, loss: {
      told: recordsOf(missed), untold: recordsOf(gone.filter((message) => !missed.has(message))),
      undecoded: runs.reduce((sum, { undecodedRecords }) => sum + undecodedRecords, 0),
      unsent: stories.reduce((sum, { unsentRows }) => sum + unsentRows.length, 0),
    },
  };
}

/** Which records are handed on when: at once where their template is known, else when it comes, or never. */
function decodeInOrder(arrivals: readonly (ExporterArrival & { story: ExporterStory })[],
  { untilMs, isKill }: { untilMs: number; isKill: boolean }, { flushMs, templateWaitMs }: OracleSettings):
  { handed: Handed[]; undecoded: ExportedMessage[] } {
  const handed: Handed[] = [];
  const undecoded: ExportedMessage[] = [];
  const known = new Set<string>();
  let waiting: { story: ExporterStory; message: ExportedMessage; atMs: number }[] = [];
  let flushMsDue = -Infinity;
  for (const { atMs, story, message, isCopy } of arrivals) {
    if (atMs > flushMsDue) flushMsDue = atMs + flushMs;
    const expired = waiting.filter((each) => atMs - each.atMs > templateWaitMs);
    undecoded.push(...expired.map((each) => each.message));
    waiting = waiting.filter((each) => !expired.includes(each));
    if (isCopy) continue;
    const handedMs = Math.min(flushMsDue, untilMs);
    const isLost = isKill && flushMsDue > untilMs;
    const hand = (each: { story: ExporterStory; message: ExportedMessage }): void => {
      if (!isLost) handed.push(...each.message.records.map((record) =>
        ({ story: each.story, message: each.message, record, handedMs })));
    };
    const templates = `${story.exporter} ${message.run}`;
    if (message.hasTemplates) {
      known.add(templates);
      const meant = waiting.filter((each) => each.story === story && each.message.run === message.run);
      for (const each of meant) hand(each);
      waiting = waiting.filter((each) => !meant.includes(each));
    }
    if (message.records.length === 0) continue;
    if (known.has(templates)) hand({ story, message });
    else waiting.push({ story, message, atMs });
  }
  return { handed, undecoded: [...undecoded, ...waiting.map(({ message }) => message)] };
}

type Joined = {
  readonly exporter: string; readonly row: number; readonly direction: ExportedRecord['direction'];
  readonly handedMs: number; readonly endMs: number; readonly trueEndMs: number;
};

/**
 * Both directions of a conversation that came are one flow; one that came alone is one after its wait, or at the end.
 */
function joinDirections(handed: readonly Handed[], { untilMs, isKill }: { untilMs: number; isKill: boolean },
  { isPaired, pairWaitMs }: OracleSettings): Joined[] {
  const describe = ({ story, message, record: { row, direction }, handedMs }: Handed): Joined => {
    const trueEndMs = story.flows.columns.flowEndMilliseconds[row] as number;
    return { exporter: story.exporter, row, direction, handedMs, endMs: trueEndMs + message.clockAheadMs, trueEndMs };
  };
  const all = handed.map(describe);
  if (!isPaired) return all;
  const joined = new Map<string, Joined>();
  for (const each of all) {
    const key = `${each.exporter} ${each.row}`;
    const other = joined.get(key);
    joined.set(key, other === undefined ? each : { ...each, direction: 'both' });
  }
  return [...joined.values()]
    .map((each) => (each.direction === 'both' ? each : { ...each, handedMs: each.handedMs + pairWaitMs }))
    .filter(({ handedMs }) => !isKill || handedMs <= untilMs)
    .map((each) => ({ ...each, handedMs: Math.min(each.handedMs, untilMs) }))
    .sort((a, b) => a.handedMs - b.handedMs);
}

/**
 * What sequence numbers tell: of each run of the exporter, what is missing between the first and the last that came.
 */
function countArrivals({ version, messages }: ExporterStory, arrivals: readonly ExporterArrival[],
  { undecoded, missed }: { undecoded: readonly ExportedMessage[]; missed: Set<ExportedMessage> }): ForeseenCounts {
  const counts: ForeseenCounts = {
    datagrams: arrivals.length, duplicates: 0, lostUnits: 0, reordered: 0, restarts: 0, records: 0,
  };
  const came = new Set<ExportedMessage>();
  let latest: ExportedMessage | undefined;
  for (const { message, isCopy } of arrivals) {
    if (isCopy) {
      counts.duplicates++;
      continue;
    }
    came.add(message);
    if (!undecoded.includes(message)) counts.records += message.records.length;
    if (latest !== undefined && message.run !== latest.run) counts.restarts++;
    else if (latest !== undefined && message.index < latest.index) {
      // IPFIX numbers records: a message without any has the number of the next one.
      if (version === 9 || message.records.length > 0) counts.reordered++;
      continue;
    }
    latest = message;
  }
  const unitsOf = (message: ExportedMessage): number => (version === 9 ? 1 : message.records.length);
  for (const run of new Set([...came].map((message) => message.run))) {
    const ofRun = messages.filter((message) => message.run === run);
    const [first, last] = [ofRun.findIndex((message) => came.has(message)),
      ofRun.findLastIndex((message) => came.has(message))];
    for (const message of ofRun.slice(first, last)) {
      if (came.has(message)) continue;
      counts.lostUnits += unitsOf(message);
      missed.add(message);
    }
  }
  return counts;
}

/** The flows as a batch, with the times and the parts of them that came through. */
export function batchForeseen(flows: readonly ForeseenFlow[], stories: ReadonlyMap<string, ExporterStory>,
  isPaired: boolean): FlowBatch {
  const [first] = stories.values();
  const batch = createFlowBatch(Math.max(1, flows.length), (first as ExporterStory).flows.dictionaries);
  for (const { exporter, row, direction, movedMs } of flows) {
    const at = batch.rowCount;
    // A lone direction is turned so that the home is its source: what is left is one side of the conversation.
    putRecord((stories.get(exporter) as ExporterStory).flows, { row, direction: 'both' }, batch);
    if (direction === 'forward') forgetResponder(batch, at);
    if (direction === 'reverse') forgetInitiator(batch, at);
    const { flowStartMilliseconds, flowEndMilliseconds, originalFlowsPresent } = batch.columns;
    flowStartMilliseconds[at] = (flowStartMilliseconds[at] as number) + movedMs;
    flowEndMilliseconds[at] = (flowEndMilliseconds[at] as number) + movedMs;
    if (isPaired) originalFlowsPresent[at] = direction === 'both' ? 2 : 1;
  }
  return batch;
}
