/**
 * A detector over the flows of files: the engine as live, a state in memory, the flows' own times as timeline, and
 * nothing executed. What it finds is what a live detector would have found in these flows.
 */
import { Counts, VirtualClock } from '#base';
import type { ActionKind } from '#action';
import type { FlowBatch } from '#flow';
import { openCore } from './core.ts';
import type { DetectorConfig } from './config/detector-config.ts';
import type { FlowReceiver, ReplayResult } from './flow-receiver.ts';
import { StateStore } from './state-store.ts';
import { SteadyClock } from './steady-clock.ts';

/** Time of the flows between two looks at what is due. */
const tickMs = 10_000;

/** @throws OperatorError  the config's classifiers cannot be looked at */
export async function openReplay(given: DetectorConfig): Promise<FlowReceiver> {
  const config: DetectorConfig = { ...given, dryRun: true };
  const store = StateStore.open(undefined);
  const planned = new Counts<ActionKind>();
  let nowMs = -Infinity;
  let tickedMs = -Infinity;
  const core = await openCore(config, store, new SteadyClock(new VirtualClock(0)), {
    nowMs: () => nowMs,
    onEvent: (event) => {
      if (event.name === 'planned') planned.add(event.action.kind);
    },
  });
  const { engine, desk } = core;
  const tick = (): void => {
    tickedMs = nowMs;
    engine.tick();
    desk.outbox.settle(nowMs);
  };
  return {
    accept: (batch, receivedMs) => {
      nowMs = Math.max(nowMs, receivedMs ?? latestEnd(batch));
      if (nowMs === -Infinity) return;
      engine.accept(batch, receivedMs === undefined ? undefined : { steadyMs: receivedMs, offsetMs: 0 });
      if (nowMs - tickedMs >= tickMs) tick();
    },
    end: async () => {
      if (nowMs > -Infinity) tick();
      const result = describe();
      store.close();
      return result;
    },
    abandon: async () => store.close(),
  };

  function describe(): ReplayResult {
    const { flows, flowsAccepted } = engine.counts();
    const verdicts = [...engine.book.all()]
      .sort((a, b) => compare(a.home, b.home) || compare(a.deviceModel, b.deviceModel));
    return {
      flows, flowsOfHomes: engine.mapper.counts().mapped, homes: engine.evidence.counts().homes,
      classifiers: engine.classifiers.map(({ file, digest, stage, classifier }, i) => ({
        file, deviceModel: classifier.deviceModel, classifier: digest, stage, flowsAccepted: flowsAccepted[i] ?? 0,
      })),
      refused: core.refused.map(({ file, code, detail }) => ({ file, code, detail })),
      verdicts, planned: planned.toJSON(),
    };
  }
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function latestEnd({ columns: { flowEndMilliseconds }, rowCount }: FlowBatch): number {
  let latest = -Infinity;
  for (let row = 0; row < rowCount; row++) {
    const endMs = flowEndMilliseconds[row] as number;
    // What has no end in time does not move it, and is no evidence either.
    if (Number.isFinite(endMs)) latest = Math.max(latest, endMs);
  }
  return latest;
}
