/**
 * What other programs make of sampling as the probe tells it: tshark names every field and value of the options, and
 * nfcapd takes the flows beside them and scales them by the same number when it is told.
 */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { encodePcapHeader, PcapChunk } from '#capture';
import { FlowEncoder, type Sampling } from '#flow';
import { addressBytes, buildUdp } from '#sim';
import { makeHomeFlows } from '../support/detector-world.ts';
import { missing } from './shared-data.ts';

const folder = mkdtempSync(join(tmpdir(), 'natlens-sampling-'));
after(() => rmSync(folder, { recursive: true }));

const exportMs = 1_700_000_100_000;
const rows = 60;
const flows = makeHomeFlows({ from: '192.168.1.7', isDevice: true,
  endMs: Array.from({ length: rows }, (_, row) => 1_700_000_000_000 + row * 1_000) });

function encode(version: 9 | 10, sampling: Sampling): Uint8Array[] {
  const messages: Uint8Array[] = [];
  const encoder = new FlowEncoder({ version, sampling }, (message) => messages.push(message.slice()));
  // The templates and the sampling first, as the probe sends them.
  encoder.announce(exportMs);
  encoder.encode(flows, exportMs);
  encoder.flush(exportMs);
  return messages;
}

const cases = [
  { version: 9, sampling: { way: 'systematic', interval: 100 }, told: [/Sampling interval: 100$/m,
    /Sampling algorithm: .*Deterministic.*\(1\)$/mi] },
  { version: 9, sampling: { way: 'random', interval: 250 }, told: [/Sampling interval: 250$/m,
    /Sampling algorithm: .*Random.*\(2\)$/mi] },
  { version: 10, sampling: { way: 'systematic', interval: 100 }, told: [/Selector ?Id: 1$/mi,
    /Selector ?Algorithm: .*Systematic count-based.*\(1\)$/mi, /Sampling ?Packet ?Interval: 1$/mi,
    /Sampling ?Packet ?Space: 99$/mi] },
  { version: 10, sampling: { way: 'random', interval: 250 }, told: [/Selector ?Id: 1$/mi,
    /Selector ?Algorithm: .*Random n-out-of-N.*\(3\)$/mi, /Sampling ?Size: 1$/mi, /Sampling ?Population: 250$/mi] },
] as const satisfies readonly { version: 9 | 10; sampling: Sampling; told: readonly RegExp[] }[];

for (const { version, sampling, told } of cases) {
  const name = `version ${version}, ${sampling.way}`;
  test(`tshark, ${name}: every field, no complaint`, { skip: missing({ programs: ['tshark'] }) }, () => {
    const chunk = new PcapChunk();
    for (const message of encode(version, sampling)) {
      const frame = buildUdp({
        sourceMac: Uint8Array.of(2, 0, 0, 0, 0, 1), destinationMac: Uint8Array.of(2, 0, 0, 0, 0, 2), hops: 64,
        source: addressBytes('192.0.2.1'), destination: addressBytes('192.0.2.2'), classOfService: 0,
        identification: 1, isUnfragmentable: false, isPadded: false,
      }, { source: 40_000, destination: 2_055 }, message);
      chunk.add({ timeMicroseconds: exportMs * 1_000, frame, wireBytes: frame.length });
    }
    const path = join(folder, `${version}-${sampling.way}.pcap`);
    writeFileSync(path, Buffer.concat([encodePcapHeader(), chunk.take()]));
    const { stdout, stderr, status } = spawnSync('tshark', ['-r', path, '-d', 'udp.port==2055,cflow', '-V'],
      { encoding: 'utf8', maxBuffer: 1 << 26 });
    assert.equal(status, 0, stderr);
    assert.doesNotMatch(stdout, /Malformed|No template found|Expert Info \((?:Warning|Error)/);
    const options = stdout.split('\n').filter((line) => /elector|ampling/.test(line)).join('\n');
    for (const pattern of told) assert.match(stdout, pattern, options);
  });

  test(`nfcapd, ${name}: the flows come through beside it, scaled by -s`,
    { skip: missing({ programs: ['nfcapd', 'nfdump'] }) }, async () => {
      const spool = mkdtempSync(join(folder, 'spool-'));
      const probing = createSocket('udp4');
      probing.bind(0, '127.0.0.1');
      await once(probing, 'listening');
      const { port } = probing.address();
      probing.close();
      const collector = spawn('nfcapd', ['-w', spool, '-b', '127.0.0.1', '-p', String(port), '-s',
        String(sampling.interval)], { stdio: 'ignore' });
      await pause(700);
      const socket = createSocket('udp4');
      for (const message of encode(version, sampling)) {
        await new Promise((resolve) => void socket.send(message, port, '127.0.0.1', resolve));
      }
      socket.close();
      await pause(500);
      collector.kill('SIGTERM');
      await once(collector, 'close');
      const { stdout } = spawnSync('nfdump', ['-R', spool, '-q', '-N', '-o', 'fmt:%pkt %byt'], { encoding: 'utf8' });
      const found = stdout.trim().split('\n').map((line) => line.trim().split(/\s+/).map(Number));
      const { initiatorPackets, initiatorOctets } = flows.columns;
      assert.equal(found.length, rows, stdout);
      const sum = (values: ArrayLike<number>): number => {
        let total = 0;
        for (let row = 0; row < rows; row++) total += values[row] as number;
        return total * sampling.interval;
      };
      assert.deepEqual([0, 1].map((column) => found.reduce((total, line) => total + (line[column] as number), 0)),
        [sum(initiatorPackets), sum(initiatorOctets)]);
    });
}
