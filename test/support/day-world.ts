/**
 * The day that a detector is put through, made from a seed: three homes with an exporter each, the device model in one
 * of them always, in one for some hours and in one for minutes, and a plan of faults. Around what sequence numbers
 * cannot tell (an IPFIX exporter whose templates are not known, a clock that is set) chance does nothing, unless it is
 * asked to.
 */
import { mappedWord, Random } from '#base';
import { copyRows, createDictionaries, createFlowBatch, type Dictionaries, type FlowBatch } from '#flow';
import {
  exportDay, sendThrough, type ExportedMessage, type ExporterDay, type LossyNetwork, type Restart,
} from '#sim';
import type { ExporterStory, OracleSettings } from './day-oracle.ts';
import type { DayPlan } from './detector-day.ts';
import { makeHomeFlows } from './detector-world.ts';

export const minuteMs = 60_000;
export const hourMs = 60 * minuteMs;
const startMs = Date.UTC(2026, 2, 3);
const endMs = startMs + 24 * hourMs;
/** A time of the day. */
export const at = (hours: number, minutes = 0, seconds = 0): number =>
  startMs + hours * hourMs + minutes * minuteMs + seconds * 1_000;

export type DayKind = {
  readonly seed: number;
  readonly version: 9 | 10;
  /** One record for each direction, which the detector joins. */
  readonly isOneWay: boolean;
  /** Without losses, restarts and set clocks. */
  readonly isCalm?: boolean;
  /** Chance does what it likes at any time. */
  readonly isUnprotected?: boolean;
};

export type Day = {
  readonly kind: DayKind;
  readonly plan: DayPlan;
  readonly stories: ReadonlyMap<string, ExporterStory>;
  readonly settings: OracleSettings;
};

type Span = readonly [fromMs: number, untilMs: number];
type Household = {
  readonly exporter: string;
  readonly deviceHours: readonly Span[];
  readonly restarts: readonly Restart[];
  readonly outages: readonly Span[];
  readonly templateEveryMs: number;
  /** Times for which the exporter's clock is off. */
  readonly clockOff: readonly { readonly span: Span; readonly aheadMs: (trueMs: number) => number }[];
  /** Delay of the first templates after a restart, by its number; Infinity: they are lost. */
  readonly templateDelaysMs: Readonly<Record<number, number>>;
};

const households: readonly Household[] = [
  {
    exporter: '192.0.2.1', deviceHours: [[at(0), at(24)]], templateEveryMs: 4 * minuteMs,
    restarts: [{ atMs: at(4, 10), downMs: 90_000 }, { atMs: at(19), downMs: minuteMs }],
    outages: [[at(10), at(10, 7)]], templateDelaysMs: {},
    // Within what is believed, but so far ahead that true times are too late afterwards.
    clockOff: [{ span: [at(8), at(8, 20)], aheadMs: () => 40 * minuteMs }],
  },
  {
    exporter: '192.0.2.2', deviceHours: [[at(3), at(6)], [at(14), at(17)]], templateEveryMs: 10 * minuteMs,
    restarts: [{ atMs: at(6), downMs: 2 * minuteMs }, { atMs: at(16), downMs: minuteMs }], outages: [],
    templateDelaysMs: { 1: 150_000, 2: Infinity },
    clockOff: [{ span: [at(13), at(13, 30)], aheadMs: () => -3 * hourMs }],
  },
  {
    // A visitor: some evidence, and no verdict.
    exporter: '192.0.2.3', deviceHours: [[at(10, 51), at(10, 57)]], templateEveryMs: minuteMs,
    restarts: [{ atMs: at(21), downMs: 30_000 }], outages: [[at(2), at(2, 30)]], templateDelaysMs: {},
    // It begins in 1970, and learns the time after five minutes.
    clockOff: [{ span: [at(21), at(21, 5)], aheadMs: () => hourMs - at(21) }],
  },
];

/**
 * Faults of the detector. The clean end comes while datagrams are under way to the engine; the kills most of a minute
 * after evidence was written, and before actions are planned again.
 */
const roughPlan: Omit<DayPlan, 'checksMs'> = {
  startMs, endMs,
  stops: [
    { atMs: at(5, 30, 0.06), upMs: at(5, 30, 40), isKill: false },
    { atMs: at(11, 0, 35.5), upMs: at(11, 1), isKill: true },
    { atMs: at(22, 15, 50.5), upMs: at(22, 16), isKill: true },
  ],
  clockSteps: [
    { atMs: at(15, 0, 3.5), byMs: 5 * hourMs }, { atMs: at(15, 40, 3.5), byMs: -5 * hourMs },
    { atMs: at(17, 0, 3.5), byMs: -30 * minuteMs }, { atMs: at(17, 10, 3.5), byMs: 30 * minuteMs },
    // It stays so: the run after the last kill must know of it.
    { atMs: at(20, 0, 3.5), byMs: 20 * minuteMs },
  ],
};

/** Makes a day; the same kind is the same day. */
export function makeDay(kind: DayKind): Day {
  const { version, isOneWay } = kind;
  const isCalm = kind.isCalm === true;
  // A record that waits for its other direction comes when that is over: clocks are left alone there.
  const hasClocks = !isCalm && !isOneWay;
  const plan: DayPlan = {
    ...roughPlan, stops: isCalm ? [] : roughPlan.stops, clockSteps: hasClocks ? roughPlan.clockSteps : [],
    // Seven seconds after a message was sent, all is quiet.
    checksMs: Array.from({ length: 48 }, (_, i) => at(0, 30 * (i + 1) - 2, 47)),
  };
  const random = new Random(kind.seed);
  const dictionaries = createDictionaries();
  const stories = households.map((household, i): ExporterStory => {
    const flows = makeDayFlows(kind.seed * 10 + i, dictionaries, household.deviceHours);
    const exporterDay: ExporterDay = {
      version, isOneWay, startMs, endMs, restarts: isCalm ? [] : household.restarts, holdMsMax: 50_000,
      templateEveryMs: household.templateEveryMs,
      clockAhead: (trueMs) => (hasClocks ? clockAheadOf(household, trueMs) : 0),
    };
    const { messages, unsentRows } = exportDay(flows, exporterDay, random);
    const { exporter } = household;
    const way: LossyNetwork = isCalm ? { ...network, lostShare: 0, copiedShare: 0, delayedShare: 0 } : {
      ...network, outages: household.outages.map(([fromMs, untilMs]) => ({ fromMs, untilMs })),
      fateOf: chooseFates(kind, { household, plan, hasClocks }, messages),
    };
    const arrivals = sendThrough(messages, way, random).arrivals.map((arrival) => ({ ...arrival, exporter }));
    return { exporter, version, flows, messages, arrivals, unsentRows };
  });
  return {
    kind, plan, stories: new Map(stories.map((story) => [story.exporter, story])),
    settings: {
      isPaired: isOneWay, flushMs: 100, pairWaitMs: 20_000, templateWaitMs: 300_000, clockSkewMs: hourMs,
      checkpointMs: minuteMs,
    },
  };
}

/** Delays so long that a message is overtaken by the next one of its exporter, and never as long as directions wait. */
const network = {
  lostShare: 0.04, copiedShare: 0.02, delayedShare: 0.05, delayMsMax: 15_000, outages: [], fateOf: () => undefined,
};

function clockAheadOf({ clockOff }: Household, trueMs: number): number {
  return clockOff.find(({ span: [from, until] }) => trueMs >= from && trueMs < until)?.aheadMs(trueMs) ?? 0;
}

/** What is certain: the templates that come late, and that nothing happens where numbers could not tell of it. */
function chooseFates({ version, isUnprotected }: DayKind,
  { household, plan, hasClocks }: { household: Household; plan: DayPlan; hasClocks: boolean },
  messages: readonly ExportedMessage[]): LossyNetwork['fateOf'] {
  const { restarts, templateDelaysMs, clockOff } = household;
  const { startMs: dayMs, stops } = plan;
  const isLate = ({ run, index }: ExportedMessage): boolean => index === 0 && templateDelaysMs[run] !== undefined;
  const quiet: Span[] = !hasClocks ? []
    : clockOff.flatMap(({ span }) => span.map((ms): Span => [ms - minuteMs, ms + minuteMs]));
  const starts = [dayMs, ...restarts.map(({ atMs, downMs }) => atMs + downMs), ...stops.map(({ upMs }) => upMs)];
  for (const ms of starts) {
    const told = messages.find((message) => message.sentMs >= ms && message.hasTemplates && !isLate(message));
    // NetFlow v9 numbers its messages, whatever is in them.
    quiet.push([ms - minuteMs, version === 9 ? ms + minuteMs : (told?.sentMs ?? ms) + minuteMs]);
  }
  for (const { atMs, isKill } of stops) if (isKill) quiet.push([atMs - 3 * minuteMs, atMs]);
  for (const { atMs } of restarts) quiet.push([atMs - minuteMs, atMs]);
  return (message) => {
    if (isLate(message)) return templateDelaysMs[message.run];
    if (isUnprotected === true) return undefined;
    const { sentMs } = message;
    return quiet.some(([from, until]) => sentMs >= from && sentMs <= until) ? 0 : undefined;
  };
}

/** Flows of a home: of the device model in its hours, and of other things all day; few enough tokens for the store. */
function makeDayFlows(seed: number, dictionaries: Dictionaries, deviceHours: readonly Span[]): FlowBatch {
  const random = new Random(seed);
  const times = (everyMs: number, isIn: (ms: number) => boolean): number[] => {
    const found: number[] = [];
    const lastMs = endMs - 2 * minuteMs;
    for (let ms = startMs + random.integer(0, everyMs); ms < lastMs; ms += random.integer(1, 2 * everyMs)) {
      if (isIn(ms)) found.push(ms);
    }
    return found;
  };
  const isDeviceOn = (ms: number): boolean => deviceHours.some(([from, until]) => ms >= from && ms < until);
  const from = `192.168.${seed % 200}.7`;
  const batches = [
    makeHomeFlows({ from, endMs: times(90_000, isDeviceOn), isDevice: true, seed, dictionaries }),
    makeHomeFlows({ from, endMs: times(20_000, () => true), isDevice: false, seed, dictionaries }),
  ];
  const rows = batches.flatMap((batch) => Array.from({ length: batch.rowCount }, (_, row) =>
    ({ batch, row, endMs: batch.columns.flowEndMilliseconds[row] as number }))).sort((a, b) => a.endMs - b.endMs);
  const merged = createFlowBatch(rows.length, dictionaries);
  for (const { batch, row } of rows) copyRows(batch, row, row + 1, merged);
  for (let row = 0; row < merged.rowCount; row++) {
    merged.columns.destinationAddress.set([0, 0, mappedWord, 0x2d40_0007 + 0x100 * random.integer(0, 39)], row * 4);
    merged.columns.sourceTransportPort[row] = 20_000 + row % 40_000;
  }
  return merged;
}
