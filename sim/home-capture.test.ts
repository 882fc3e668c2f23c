/** A written capture in tshark's eyes: nothing malformed, no wrong checksum, and the same counts as the truth. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { writeHomeCapture } from './home-capture.ts';

const folder = mkdtempSync(join(tmpdir(), 'natlens-'));
after(() => rmSync(folder, { recursive: true }));
const isTsharkAbsent = spawnSync('tshark', ['--version']).status !== 0;
const skip = isTsharkAbsent ? 'tshark is not installed' : false;

const checks = ['ip', 'tcp', 'udp'].flatMap((protocol) => ['-o', `${protocol}.check_checksum:TRUE`]);
const isWrong = ['_ws.malformed', ...['ip', 'tcp', 'udp', 'icmp', 'icmpv6'].map((name) => `${name}.checksum.status==0`)]
  .join(' || ');

function tshark(path: string, ...options: string[]): string[] {
  const run = spawnSync('tshark', ['-r', path, ...checks, ...options], { encoding: 'utf8', maxBuffer: 1 << 28 });
  assert.equal(run.status, 0, run.stderr);
  return run.stdout.split('\n').filter((line) => line !== '');
}

test('tshark finds nothing wrong, and would find a flipped bit', { skip }, async () => {
  const path = join(folder, 'home.pcap');
  const home = await writeHomeCapture(path, { seed: 21, durationS: 500 });
  assert.deepEqual(tshark(path, '-Y', isWrong), []);
  const bytes = readFileSync(path);
  // The last byte of the file is the last packet's; one bit of it makes that packet's checksum wrong.
  const last = bytes.length - 1;
  bytes[last] = (bytes[last] as number) ^ 1;
  const damaged = join(folder, 'damaged.pcap');
  writeFileSync(damaged, bytes);
  assert.equal(tshark(damaged, '-Y', isWrong).length, 1);
  assert.ok(home.packets > 1_000);
});

test('every format gives tshark the same packets and IP lengths as the truth', { skip }, async () => {
  const formats = [
    { kind: 'pcap', resolution: 'nanoseconds', byteOrder: 'big' }, { kind: 'pcap', byteOrder: 'big' },
      { kind: 'pcapng' },
  ] as const;
  for (const [i, format] of formats.entries()) {
    const path = join(folder, `format-${i}`);
    const home = await writeHomeCapture(path, { seed: 22, durationS: 200, format });
    const rows = tshark(path, '-T', 'fields', '-E', 'occurrence=f', '-e', 'ip.len', '-e', 'ipv6.plen');
    const octets = rows.map((row) => row.split('\t')).map(([v4 = '', v6 = '']) =>
      v4 === '' ? (v6 === '' ? 0 : Number(v6) + 40) : Number(v4));
    const truth = home.devices.reduce((sum, device) => sum + device.outboundOctets + device.inboundOctets, 0);
    assert.equal(rows.length, home.packets);
    assert.equal(octets.reduce((sum, count) => sum + count, 0), truth);
  }
});
