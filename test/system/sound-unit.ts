/** A systemd unit as it is shipped, judged by systemd itself. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { rootFolder } from '../support/source-tree.ts';

/** systemd-analyze's measure, of 10; a service with no sandbox has 9.6. */
const exposureMaxDefault = 1.5;

/**
 * @param name     of the file in `deploy/`
 * @param program  where a package puts the program, and a test has none
 * @param folder   of the test's own
 * @param exposureMax  what its rights make of it at most
 */
export function assertSoundUnit(t: TestContext, name: string, { program, folder, exposureMax = exposureMaxDefault }: {
  readonly program: string; readonly folder: string; readonly exposureMax?: number;
}): void {
  const deployed = join(folder, name);
  const unit = readFileSync(join(rootFolder, 'deploy', name), 'utf8');
  writeFileSync(deployed, unit.replaceAll(program, process.execPath));
  const verify = spawnSync('systemd-analyze', ['verify', deployed], { encoding: 'utf8' });
  assert.deepEqual({ status: verify.status, stderr: verify.stderr }, { status: 0, stderr: '' });
  const security = spawnSync('systemd-analyze', ['security', '--offline=true', deployed],
    { encoding: 'utf8', env: { ...process.env, SYSTEMD_EMOJI: '0' } });
  const [, exposure] = /Overall exposure level for [^:]+: ([\d.]+)/.exec(security.stdout) ?? [];
  t.diagnostic(`exposure ${exposure}`);
  assert.ok(Number(exposure) <= exposureMax, security.stdout);
}
