/**
 * `natlens lab homes` on real captures, with homes that share no device with the library or with calibration: evidence
 * finds nearly every home within an hour and hardly any without the device model; one accepted flow finds them all.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { globSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { HomesResult } from '#lab';
import { environment, launcher } from '../support/natlens-process.ts';
import { missing, sharedData } from './shared-data.ts';
import { writeSharedInventory } from './shared-inventory.ts';

const skip = missing({ data: ['captures/inventory.csv', 'hosts'] });
const secondsMax = 600;
const continuous = ['hub.Blink.Sync_Module', 'hub.Lockly.Secure_Link', 'hub.Sifely.WiFi_Gateway',
  'hub.U_tec.Ultraloq_Bridge', 'lock.Schlage.Encode', 'socket.Tuya.Smart_Plug'];

let folder = '';

before(() => {
  if (skip !== false) return;
  folder = mkdtempSync(join(tmpdir(), 'natlens-homes-system-'));
  writeSharedInventory(folder);
});

after(() => {
  if (folder !== '') rmSync(folder, { recursive: true, force: true });
});

test('within an hour nearly all homes with the device model, and hardly any other', { skip }, (context) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [launcher, 'lab', 'homes', '--inventory',
    'inventory.csv', '--flows', ...globSync(`${sharedData}hosts/*conn.log.labeled`).sort(), '--out', 'out', '--seeds',
    '2', '--homes', '1000', '--json'], {
    cwd: folder, encoding: 'utf8', env: environment(folder), timeout: secondsMax * 1_000, maxBuffer: 1 << 28,
  });
  assert.equal(status, 0, stderr);
  const results = JSON.parse(stdout) as HomesResult[];
  assert.deepEqual([...new Set(results.map(({ deviceModel }) => deviceModel))], continuous);
  const meanOf = (method: string, minutes: number, read: (result: HomesResult) => number): number => {
    const found = results.filter((result) => result.method === method && result.windowMinutes === minutes);
    assert.equal(found.length, continuous.length);
    return found.reduce((sum, result) => sum + read(result), 0) / found.length;
  };
  for (const method of ['evidence', 'evidence-cascade']) {
    const hour = meanOf(method, 60, ({ tpr }) => tpr);
    const day = meanOf(method, 1_440, ({ tpr }) => tpr);
    const fpr = meanOf(method, 60, ({ measuredFpr }) => measuredFpr);
    context.diagnostic(`${method}: TPR ${hour.toFixed(3)} in an hour, ${day.toFixed(3)} in a day; FPR ${fpr}`);
    assert.ok(hour >= 0.92 && day >= 0.98 && fpr <= 0.003);
  }
  assert.ok(meanOf('single-flow', 60, ({ measuredFpr }) => measuredFpr) > 0.5);
  assert.ok(meanOf('single-flow', 60, ({ tpr }) => tpr) > 0.9);
});
