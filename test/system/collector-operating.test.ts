/**
 * What a collector is for its operator: a disk that is really full and has room again, and a unit that is sound and
 * leaves little to whoever gets in.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { CollectorProcess, storedIds } from '../support/collector-process.ts';
import { ScriptedExporter } from '../support/scripted-exporter.ts';
import { missing } from './shared-data.ts';
import { assertSoundUnit } from './sound-unit.ts';

const folder = mkdtempSync(join(tmpdir(), 'natlens-collector-operating-'));
const flows = join(folder, 'flows');
after(() => {
  spawnSync('umount', [flows], { stdio: 'ignore' });
  rmSync(folder, { recursive: true, force: true });
});

function mountSmallDisk(): string | false {
  mkdirSync(flows);
  const { status, error } = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'none', flows], { stdio: 'ignore' });
  return error === undefined && status === 0 ? false : 'file systems cannot be mounted here';
}

test('a full disk: rows wait, those without room are counted, and files are written again when there is room',
  { skip: mountSmallDisk(), timeout: 120_000 }, async (t) => {
    const collector = await CollectorProcess.start(t, folder, `state_folder = "state"
checkpoint = "1s"
[input]
listen = ["udp://127.0.0.1:0"]
[output]
folder = "flows"
rotate = "1s"
`);
    const exporter = new ScriptedExporter(9, '127.0.0.9');
    await exporter.open({ kind: 'udp', port: collector.port('udp') });
    t.after(() => exporter.close());
    await exporter.sendMany(100, true);
    await collector.until('a file is whole', ({ output }) => (output?.files ?? 0) > 0);
    // Nothing is left for a file's footer.
    const filler = join(flows, 'filler');
    spawnSync('dd', ['if=/dev/zero', `of=${filler}`, 'bs=1024'], { stdio: 'ignore' });
    let sent = 500;
    let status = await collector.status();
    for (let i = 0; i < 100 && status.output?.isFailing !== true; i++) {
      await exporter.sendMany(50, false);
      sent += 250;
      await sleep(100);
      status = await collector.status();
    }
    assert.equal(status.output?.isFailing, true);
    assert.match(status.output.lastError ?? '', /ENOSPC/);
    assert.ok(status.health.some(({ code }) => code === 'output-failing'));
    // More than may wait in memory.
    await exporter.sendMany(8_000, false);
    sent += 40_000;
    await collector.until('rows are lost', ({ flows: [account] }) => account?.rows === sent && account.notStored > 0);
    rmSync(filler);
    const mended = await collector.until('it writes again', ({ output, flows: [account] }) =>
      output?.isFailing === false && account?.open === 0 && account.rows === sent);
    const [account] = mended.flows;
    assert.equal(account?.rows, account === undefined ? 0 : account.stored + account.notStored);
    assert.ok(mended.domains[0]?.account.lostOnTheWay === 0 && mended.domains[0].account.lostInKernel === 0);
    await collector.end('SIGTERM');
    const ids = storedIds(folder);
    assert.equal(ids.length, account?.stored);
    assert.equal(new Set(ids).size, ids.length);
    t.diagnostic(`${sent} rows, ${account?.stored} stored, ${account?.notStored} not`);
  });

test('the unit is sound, and leaves little to whoever gets in',
  { skip: missing({ programs: ['systemd-analyze'] }) }, (t) => {
    assertSoundUnit(t, 'natlens-collector.service', { program: '/usr/bin/natlens', folder });
  });
