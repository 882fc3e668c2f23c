/** What is wrong with a collector, from its status: pure, with the memory of a few minutes that losses need. */
import { formatCount } from '#base';
import { RecentRises } from '#service';
import type { CollectorStatus, HealthCode, HealthReason } from './status.ts';

/** Exporters send at least a template in this time. */
export const silentAfterMs = 600_000;
/** Losses and the like are told for so long. */
export const rememberedMs = 600_000;

type Signs = Omit<CollectorStatus, 'health' | 'sentences'> & {
  /** When a message last came; undefined: none yet. */
  readonly lastTakenMs: number | undefined;
};

export class HealthJudge {
  readonly #rises = new RecentRises<HealthCode>(rememberedMs);

  /** Empty: all is well. */
  judge(signs: Signs): HealthReason[] {
    const { nowMs, startedMs, lastTakenMs, input, domains, output, state, exports, forward } = signs;
    const reasons: HealthReason[] = [];
    const add = (isSo: boolean, code: HealthCode, detail: string): void => {
      if (isSo) reasons.push({ code, detail });
    };
    const rose = (code: HealthCode, value: number): boolean => this.#rises.has(code, value, nowMs);
    add(nowMs - (lastTakenMs ?? startedMs) > silentAfterMs, 'input-silent',
      'No message has come for ten minutes: do the exporters run, and do they send to this address and port?');
    const { receiver } = input;
    add(rose('host-loss', (receiver?.kernelDrops ?? 0) + (receiver?.ringDrops ?? 0)), 'host-loss',
      'Messages were dropped on this host within ten minutes, because it was behind: raise input.receive_buffer and ' +
      'input.ring, or give it less to do.');
    add(rose('way-loss', sum(domains, ({ account }) => account.lostOnTheWay)), 'way-loss',
      'Messages were lost on the way here within ten minutes: natlens collect status says of which exporter.');
    add(input.sockets.some(({ receiveBufferBytes, askedBytes }) =>
      receiveBufferBytes !== null && askedBytes !== null && receiveBufferBytes < askedBytes), 'receive-buffer',
    'The kernel grants a smaller receive buffer than asked for: raise net.core.rmem_max, or ask ' +
      'for less with input.receive_buffer.');
    const givenUp = exports.rejected['no-template'] + exports.rejected['waiting-limit'];
    add(rose('template-missing', givenUp), 'template-missing', 'Records were given up within ten minutes, because ' +
      'their template did not come: does the exporter repeat its templates?');
    add(rose('limited', input.senders.limited), 'limited',
      'An exporter sent more than input.rate_limit within ten minutes: natlens collect status says which.');
    add(rose('exporters-full', exports.rejected['exporter-limit']), 'exporters-full',
      `There are more exporters and domains than the ${formatCount(domains.length)} that are kept apart: messages of ` +
      'others are refused. Forged senders are kept out by input.exporters.');
    add(domains.some(({ account }) => account.clockWarnings.skewed), 'clock-skewed',
      'The clock of an exporter is off: natlens collect status says whose.');
    add(output?.isFailing === true, 'output-failing', `Rows cannot be written: ${output?.lastError ?? ''}`);
    add(state.fault !== null, 'state-unwritable', `The state cannot be saved: ${state.fault ?? ''}`);
    add(rose('forward-failing', sum(forward, ({ dropped, failed }) => dropped + failed)), 'forward-failing',
      'A receiver of [forward] did not take all within ten minutes.');
    return reasons;
  }
}

function sum<T>(list: readonly T[], valueOf: (one: T) => number): number {
  return list.reduce((total, one) => total + valueOf(one), 0);
}
