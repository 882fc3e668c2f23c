/** What SQLite leaves of deleted rows goes after a day, and of a forgotten home as soon as nobody reads the state. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test, type TestContext } from 'node:test';
import { VirtualClock } from '#base';
import { layOutDetector } from '../../../test/support/detector-world.ts';
import { readConfig } from './config/read-config.ts';
import { openCore, type OpenedCore } from './core.ts';
import { forgetHome } from './home-desk.ts';
import { StateStore, stateFileName } from './state-store.ts';
import { SteadyClock } from './steady-clock.ts';

const old = 'household-4711';

type World = { readonly core: OpenedCore; readonly clock: VirtualClock; readonly state: string;
  /** Is the home's name in the file or its journal? */
  readonly holds: () => boolean };

/** A state on disk with many rows of two homes. */
async function open(t: TestContext): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), 'natlens-remains-'));
  const state = join(folder, 'state');
  const config = await readConfig(layOutDetector(folder));
  const store = StateStore.open(state);
  t.after(() => {
    store.close();
    rmSync(folder, { recursive: true });
  });
  const clock = new VirtualClock(Date.UTC(2026, 3, 1));
  const core = await openCore(config, store, new SteadyClock(clock));
  for (let i = 0; i < 400; i++) {
    const home = i % 3 === 0 ? 'another' : old;
    core.desk.outbox.optOut(home, `model-${i}-${'x'.repeat((i * 7_919) % 150)}`, true, clock.nowMs());
  }
  const files = [stateFileName, `${stateFileName}-wal`].map((name) => join(state, name));
  return { core, clock, state, holds: () => files.some((file) => readFileSync(file).includes(old)) };
}

test('rows that grew too old leave nothing for longer than a day', async (t) => {
  const { core, clock, holds } = await open(t);
  assert.ok(core.engine.checkpoint());
  core.desk.outbox.forget(old, clock.nowMs());
  for (let hour = 1; hour < 24; hour++) {
    clock.advance(3_600_000);
    assert.ok(core.engine.checkpoint());
    assert.ok(holds(), `after ${hour} h`);
  }
  clock.advance(3_600_000);
  assert.ok(core.engine.checkpoint());
  assert.ok(!holds());
  assert.equal(core.desk.outbox.optOuts().length, 134);
});

test('a forgotten home is gone at once, or with the checkpoint after the last reader', async (t) => {
  const { core, state, holds } = await open(t);
  core.store.db.exec('PRAGMA busy_timeout = 20');
  const reader = new DatabaseSync(join(state, stateFileName));
  reader.exec('BEGIN');
  reader.prepare('SELECT count(*) FROM outbox_opt_out').get();
  const report = await forgetHome(core, old);
  assert.match(report.remarks.join(), /^Remains of the home are still in the file of the state/);
  assert.ok(core.engine.checkpoint());
  assert.ok(holds());
  reader.exec('COMMIT');
  reader.close();
  assert.ok(core.engine.checkpoint());
  assert.ok(!holds());
  assert.deepEqual((await forgetHome(core, 'another')).remarks, []);
});
