/** What is wrong with a detector, from what it counts: pure, with the memory of a few minutes that losses need. */
import type { ActionKind } from '#action';
import { RecentRises } from '#service';
import type { HealthCode, HealthReason } from './status.ts';

/** What health is judged by. */
export type HealthSigns = {
  readonly nowMs: number;
  readonly startedMs: number;
  /** When the last flow came; undefined: none yet. */
  readonly lastFlowMs: number | undefined;
  /** Datagrams that the kernel dropped, and units that sequence numbers miss. */
  readonly lostUnits: number;
  readonly hasSmallBuffer: boolean;
  readonly activeClassifiers: number;
  readonly refusedClassifiers: number;
  /** Those in use that must not decide. */
  readonly unfitClassifiers: number;
  readonly stateFault: string | undefined;
  readonly failingKinds: readonly ActionKind[];
  readonly homesRefused: number;
  readonly clockSteps: number;
};

/** Active timeouts of exporters are up to half an hour, and a home at night is quiet. */
export const silentAfterMs = 3_600_000;
/** Losses, refused homes and clock steps are reported for so long. */
export const rememberedMs = 600_000;

export class HealthJudge {
  readonly #rises = new RecentRises<HealthCode>(rememberedMs);

  /** Empty: all is well. */
  judge(signs: HealthSigns): HealthReason[] {
    const reasons: HealthReason[] = [];
    const add = (isSo: boolean, code: HealthCode, detail: string): void => {
      if (isSo) reasons.push({ code, detail });
    };
    const { nowMs, startedMs, lastFlowMs } = signs;
    add(nowMs - (lastFlowMs ?? startedMs) > silentAfterMs, 'input-silent',
      'No flow has come for an hour: does the exporter run, and does it send to this address and port?');
    add(this.#rises.has('input-loss', signs.lostUnits, nowMs), 'input-loss',
      'Flow records were lost on the way or in the kernel within ten minutes: natlens detect status says where.');
    add(signs.hasSmallBuffer, 'receive-buffer', 'The kernel grants a smaller receive buffer than asked for: ' +
      'raise net.core.rmem_max, or ask for less with input.receive_buffer.');
    add(signs.activeClassifiers === 0, 'no-classifier', 'No classifier is active: nothing can be found.');
    add(signs.refusedClassifiers > 0, 'classifier-refused',
      `${signs.refusedClassifiers} files of the classifier folders are refused: natlens detect status says why.`);
    add(signs.unfitClassifiers > 0, 'classifier-unfit', `${signs.unfitClassifiers} ${
      signs.unfitClassifiers === 1 ? 'classifier is' : 'classifiers are'} unfit and ${
      signs.unfitClassifiers === 1 ? 'decides' : 'decide'} nothing: natlens detect status says why and what to do.`);
    add(signs.stateFault !== undefined, 'state-unwritable', 'The state cannot be written: what is found is kept in ' +
      'memory and acted upon later; make room on the disk.');
    for (const kind of signs.failingKinds) {
      add(true, `${kind}-failing`, `Actions of kind ${kind} fail again and again: natlens detect status says why.`);
    }
    add(this.#rises.has('homes-full', signs.homesRefused, nowMs), 'homes-full',
      'There are more homes than this detector holds: give some to another one.');
    add(this.#rises.has('clock-stepped', signs.clockSteps, nowMs), 'clock-stepped',
      'The wall clock stepped within ten minutes; evidence and deadlines were not touched by it.');
    return reasons;
  }
}
