/**
 * A capture of 5 GB meters in bounded memory: the command, CSV out, names from the prefix table. Memory is the kernel's
 * own high-water mark of the process (VmHWM), read as the process ends, so that no peak lies between two looks.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, statfsSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { Readable } from 'node:stream';
import { test } from 'node:test';
import { makeCapture } from '../../bench/make-capture.ts';
import { environment, launcher } from '../support/natlens-process.ts';

const captureBytesMin = 5e9;
const freeBytesMin = 7e9;
const residentBytesMax = 300e6;

/** Loaded into the process that is measured: hands over its memory status, on a pipe of its own, when it ends. */
const statusAtExit = `data:text/javascript,${encodeURIComponent(`
  import { readFileSync, writeSync } from 'node:fs';
  process.on('exit', () => writeSync(3, readFileSync('/proc/self/status')));
`)}`;

function reasonToSkip(): string | false {
  if (!existsSync('/proc/self/status')) return 'this system does not tell the peak of the memory of a process';
  const { bavail, bsize } = statfsSync(tmpdir());
  const freeBytes = bavail * bsize;
  if (freeBytes >= freeBytesMin) return false;
  return `only ${(freeBytes / 1e9).toFixed(1)} GB are free in ${tmpdir()}, 7 are needed`;
}

type Measured = { readonly exitCode: number; readonly residentBytes: number; readonly summary: Summary };
type Summary = {
  readonly packets: number; readonly meteredPackets: number; readonly flows: number; readonly octets: number;
  readonly rejected: Record<string, number>; readonly seconds: number; readonly flowsEndedForRoom: number;
};

async function measure(folder: string, args: readonly string[]): Promise<Measured> {
  const child = spawn(process.execPath, ['--import', statusAtExit, launcher, ...args], {
    cwd: folder, env: environment(folder), stdio: ['ignore', 'pipe', 'inherit', 'pipe'],
  });
  const [stdout, status, [exitCode]] = await Promise.all([
    text(child.stdout as Readable), text(child.stdio[3] as Readable), once(child, 'exit') as Promise<[number]>,
  ]);
  const peak = /^VmHWM:\s+(\d+) kB$/m.exec(status);
  assert.ok(peak !== null, status);
  return { exitCode, residentBytes: Number(peak[1]) * 1024, summary: JSON.parse(stdout) as Summary };
}

const options = { skip: reasonToSkip(), timeout: 300_000 };

for (const isCut of [false, true]) {
  const frames = isCut ? 'frames cut at 128 bytes' : 'whole frames';
  test(`5 GB of ${frames} meter in less than 300 MB of memory`, options, async (context) => {
    context.diagnostic(await meterLargeCapture(isCut));
  });
}

/** Makes the capture, meters it and checks what came out. @returns what was measured */
async function meterLargeCapture(isCut: boolean): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'natlens-large-'));
  const path = join(folder, 'large.pcap');
  try {
    // Two homes for half an hour, again and again with the clock moved on: every repetition is new traffic.
    const world = { homes: 2, seconds: 1800, isCut };
    const single = makeCapture(path, { ...world, repetitions: 1 });
    const repetitions = Math.ceil(captureBytesMin / (single.fileBytes - 24));
    const capture = makeCapture(path, { ...world, repetitions });
    assert.ok(statSync(path).size >= captureBytesMin);

    const measured = await measure(folder, ['flows', 'large.pcap', '-o', 'flows.csv', '--json', '--quiet']);
    const { exitCode, residentBytes, summary } = measured;
    assert.equal(exitCode, 0);
    assert.equal(summary.packets, capture.packets);
    assert.deepEqual(Object.keys(summary.rejected), ['not-ip']);
    assert.equal(summary.meteredPackets + (summary.rejected['not-ip'] as number), capture.packets);
    assert.equal(summary.flowsEndedForRoom, 0);
    assert.ok(summary.flows > 100 * repetitions);
    assert.ok(statSync(join(folder, 'flows.csv')).size > summary.flows * 100);
    assert.ok(residentBytes < residentBytesMax, `${(residentBytes / 1e6).toFixed(0)} MB resident`);
    return `${(capture.fileBytes / 1e9).toFixed(2)} GB, ${capture.packets} packets, ` +
      `${summary.flows} flows in ${summary.seconds.toFixed(1)} s, ` +
      `${(residentBytes / 1e6).toFixed(0)} MB resident at the peak`;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
