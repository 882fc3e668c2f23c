/**
 * A network between an exporter and a collector, as UDP knows it: datagrams are lost, singly and for minutes, come
 * twice, and overtake each other. One seed, one fate for each.
 */
import type { Random } from '#base';
import type { ExportedMessage } from './exporter-day.ts';

export type LossyNetwork = {
  /** Share of the datagrams that are lost, that come twice, and that are overtaken by others. */
  readonly lostShare: number;
  readonly copiedShare: number;
  readonly delayedShare: number;
  /** Longest delay of those; others take a fiftieth of a second at most. */
  readonly delayMsMax: number;
  /** Times in which everything is lost. */
  readonly outages: readonly { readonly fromMs: number; readonly untilMs: number }[];
  /** What becomes of certain datagrams: their delay, Infinity for lost; undefined leaves it to chance. */
  readonly fateOf: (message: ExportedMessage) => number | undefined;
};

export type Arrival = {
  readonly atMs: number;
  readonly message: ExportedMessage;
  /** It came before. */
  readonly isCopy: boolean;
};

/** Usual delays: messages of one moment may change places. */
const usualDelayMs = { min: 2, max: 20 };
/** Those whose fate is certain do not. */
const apartMs = 0.01;

/** @returns arrivals in order, and what never came */
export function sendThrough(messages: readonly ExportedMessage[], network: LossyNetwork, random: Random): {
  arrivals: Arrival[]; lost: ExportedMessage[];
} {
  const arrivals: { atMs: number; message: ExportedMessage }[] = [];
  const lost: ExportedMessage[] = [];
  let certainAtMs = -Infinity;
  for (const message of messages) {
    const { sentMs } = message;
    // Chance is asked for every datagram, so that what is certain for one leaves the fates of the others as they are.
    const usualMs = random.integer(usualDelayMs.min, usualDelayMs.max) + random.uniform();
    const [isLost, isCopied, isDelayed] = [network.lostShare, network.copiedShare, network.delayedShare]
      .map((share) => random.chance(share)) as [boolean, boolean, boolean];
    const delayMs = random.integer(0, network.delayMsMax);
    const copyDelayMs = random.integer(1, Math.max(1, network.delayMsMax));
    const certainMs = network.fateOf(message);
    if (certainMs !== undefined) {
      certainAtMs = Math.max(sentMs + usualDelayMs.max, certainAtMs + apartMs);
      if (certainMs === Infinity) lost.push(message);
      else arrivals.push({ atMs: certainAtMs + certainMs, message });
      continue;
    }
    const isOut = network.outages.some(({ fromMs, untilMs }) => sentMs >= fromMs && sentMs < untilMs);
    if (isLost || isOut) {
      lost.push(message);
      continue;
    }
    const atMs = sentMs + usualMs + (isDelayed ? delayMs : 0);
    arrivals.push({ atMs, message });
    if (isCopied) arrivals.push({ atMs: atMs + copyDelayMs, message });
  }
  const seen = new Set<ExportedMessage>();
  return {
    lost,
    arrivals: arrivals.sort((a, b) => a.atMs - b.atMs).map(({ atMs, message }) => {
      const isCopy = seen.has(message);
      seen.add(message);
      return { atMs, message, isCopy };
    }),
  };
}
