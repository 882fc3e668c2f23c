/** A detector without sockets and timers: for replays, and for questions about a state that no detector runs on. */
import { Outbox } from '#action';
import { ActionDesk } from './action-desk.ts';
import { ClassifierFolder, folderOptionsOf, type RefusedFile } from './classifier-folder.ts';
import type { DetectorConfig } from './config/detector-config.ts';
import { DetectorEngine, type EngineEvent } from './engine.ts';
import type { DetectorCore } from './home-desk.ts';
import type { StateStore } from './state-store.ts';
import type { SteadyClock } from './steady-clock.ts';

export type OpenedCore = DetectorCore & { readonly refused: readonly RefusedFile[] };

/**
 * Puts the parts together and takes the classifiers of the config's folders.
 *
 * @param store   stays the caller's
 * @param nowMs   steady time, where it is not the clock's
 */
export async function openCore(config: DetectorConfig, store: StateStore, steady: SteadyClock, more: {
  readonly nowMs?: () => number; readonly onEvent?: (event: EngineEvent) => void;
} = {}): Promise<OpenedCore> {
  const desk = new ActionDesk(config, new Outbox(store.db));
  const engine = new DetectorEngine({
    config, store, desk, nowMs: more.nowMs ?? (() => steady.nowMs()), saveTime: () => steady.save(),
    onEvent: more.onEvent ?? (() => undefined),
  });
  const folder = new ClassifierFolder(folderOptionsOf(config));
  try {
    const { classifiers, refused } = await folder.poll();
    engine.setClassifiers(classifiers);
    return { config, store, steady, engine, desk, refused };
  } finally {
    folder.close();
  }
}
