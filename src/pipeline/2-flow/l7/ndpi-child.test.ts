/** The child with the real libndpi, where it is installed: names, a namer that is killed again and again, versions. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { EnvironmentError, OperatorError } from '#base';
import { openByteSource, readCapture } from '#capture';
import { createDictionaries } from '../flow-batch.ts';
import { Meter } from '../meter/meter.ts';
import { checkVersion } from './ndpi-library.ts';
import { createNdpiNamer, type NdpiNamer } from './ndpi-namer.ts';

const dnsQuery = Buffer.from('1234010000010000000000000377777706676f6f676c6503636f6d0000010001', 'hex');
const answer = Buffer.from('c00c000100010000003c000408080808', 'hex');
const dnsResponse = Buffer.concat([Buffer.from('123481800001000100000000', 'hex'), dnsQuery.subarray(12), answer]);
const httpRequest = Buffer.from('GET / HTTP/1.1\r\nHost: www.netflix.com\r\nUser-Agent: natlens\r\n\r\n');

const home = '0a000001';
const server = 'c0000201';

/** An Ethernet frame of IPv4. */
function frame(protocol: number, transport: Buffer, source = home, destination = server): Buffer {
  const header = Buffer.from(`0011223344556677889900aa0800450000000000000040000000${source}${destination}`, 'hex');
  header.writeUInt16BE(20 + transport.length, 16);
  header[23] = protocol;
  return Buffer.concat([header, transport]);
}

function udp(sourcePort: number, destinationPort: number, payload: Buffer, ...addresses: string[]): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt16BE(sourcePort, 0);
  header.writeUInt16BE(destinationPort, 2);
  header.writeUInt16BE(8 + payload.length, 4);
  return frame(17, Buffer.concat([header, payload]), ...addresses);
}

function tcp(sourcePort: number, destinationPort: number, payload: Buffer): Buffer {
  const header = Buffer.from('000000000000000100000001501800ff00000000', 'hex');
  header.writeUInt16BE(sourcePort, 0);
  header.writeUInt16BE(destinationPort, 2);
  return frame(6, Buffer.concat([header, payload]));
}

/** A classic pcap of the frames, a second apart. */
function pcap(frames: readonly Buffer[]): Buffer {
  const head = Buffer.from('d4c3b2a1020004000000000000000000ffff000001000000', 'hex');
  const records = frames.flatMap((bytes, i) => {
    const record = Buffer.alloc(16);
    record.writeUInt32LE(1_600_000_000 + i, 0);
    record.writeUInt32LE(bytes.length, 8);
    record.writeUInt32LE(bytes.length, 12);
    return [record, bytes];
  });
  return Buffer.concat([head, ...records]);
}

/** The real namer, or undefined (and the test skipped) where libndpi is not installed. */
async function open(context: TestContext, emit: Parameters<typeof createNdpiNamer>[1]): Promise<NdpiNamer | undefined> {
  try {
    return await createNdpiNamer({ restartPauseMs: 1, holdMsMax: 20_000 }, emit);
  } catch (thrown) {
    if (!(thrown instanceof EnvironmentError) || thrown.code === 'ndpi-failed') throw thrown;
    context.skip(thrown.message);
    return undefined;
  }
}

type NamedFrames = {
  readonly names: Map<number, string>;
  readonly flowCount: number;
  readonly metered: number;
  readonly counts: Record<string, number>;
};

/** Meters frames with the real namer. @param kill  called before every batch of `batchRows` packets */
async function nameFrames(
  context: TestContext, frames: readonly Buffer[], batchRows: number,
  kill: (namer: NdpiNamer, batchIndex: number) => Promise<void> | void,
): Promise<NamedFrames | undefined> {
  const names = new Map<number, string>();
  let flowCount = 0;
  const dictionaries = createDictionaries();
  const namer = await open(context, (flows) => {
    for (let row = 0; row < flows.rowCount; row++) {
      const port = Math.max(flows.columns.sourceTransportPort[row] as number,
        flows.columns.destinationTransportPort[row] as number);
      names.set(port, dictionaries.applicationName.decode(flows.columns.applicationName[row] as number));
    }
    flowCount += flows.rowCount;
  });
  if (namer === undefined) return undefined;
  const folder = mkdtempSync(join(tmpdir(), 'natlens-child-'));
  const path = join(folder, 'test.pcap');
  writeFileSync(path, pcap(frames));
  const observe: NdpiNamer['observe'] = (...packets) => namer.observe(...packets);
  const meter = new Meter({}, (flows) => namer.name(flows), { observe, dictionaries });
  const source = await openByteSource(path);
  let batchIndex = 0;
  for await (const batch of readCapture(source, { batchRows }).batches()) {
    await kill(namer, batchIndex++);
    meter.add(batch);
    await namer.whenReady();
  }
  meter.end();
  await namer.end();
  await source.close();
  rmSync(folder, { recursive: true });
  return { names, flowCount, metered: meter.counts().flows, counts: namer.counts() };
}

test('the real child names what it is sent', async (context) => {
  const frames = [udp(40_000, 53, dnsQuery), tcp(40_001, 80, httpRequest),
    udp(40_002, 40_003, Buffer.from('nobody knows this')),
    frame(1, Buffer.from('0800000000010001', 'hex'))];
  const named = await nameFrames(context, frames, 64, () => undefined);
  if (named === undefined) return;
  assert.equal(named.names.get(40_000), 'DNS.Google');
  assert.equal(named.names.get(40_001), 'HTTP.NetFlix');
  assert.equal(named.names.get(40_003), 'Unknown');
  assert.equal(named.names.get(0), 'ICMP');
  assert.deepEqual([named.counts.named, named.counts.namedUnknown, named.flowCount], [3, 1, 4]);
});

test('the real child killed again and again: flows keep coming, unnamed ones are counted, names come back',
  async (context) => {
  const frames = Array.from({ length: 500 }, (_, i) => [
    udp(30_000 + i, 53, dnsQuery), udp(53, 30_000 + i, dnsResponse, server, home),
  ]).flat();
  const named = await nameFrames(context, frames, 50, async (namer, batchIndex) => {
    if (batchIndex % 4 === 3) namer.killChild();
    // Flow time runs a thousand times faster than the child starts: it gets the time that it would have.
    await new Promise((resolve) => setTimeout(resolve, 120));
  });
  if (named === undefined) return;
  assert.equal(named.flowCount, 500);
  assert.equal(named.metered, 500);
  assert.ok((named.counts.childRestarts ?? 0) >= 3, JSON.stringify(named.counts));
  assert.ok((named.counts.named ?? 0) >= 100, JSON.stringify(named.counts));
  assert.equal((named.counts.named ?? 0) + (named.counts.namedUnknown ?? 0) + (named.counts.unnamedChildDied ?? 0) +
    (named.counts.unnamedChildBehind ?? 0) + (named.counts.unnamedNotInspected ?? 0), 500);
  assert.equal(named.names.get(30_499), 'DNS.Google', 'names came back');
});

test('versions that were not tried are refused in one sentence', () => {
  checkVersion('4.2.0', 688);
  const code = 'ndpi-unknown-version';
  assert.throws(() => checkVersion('4.8.0', 688), { code, message: /version 4\.8\.0 .* --l7 prefix/ });
  assert.throws(() => checkVersion('4.2.0', 696), { code, message: /696 bytes instead of 688/ });
  assert.ok(!(new EnvironmentError('ndpi-absent', '') instanceof OperatorError));
});

test('a program that forgets to end the namer is not kept alive by the child', (context) => {
  const url = new URL('./ndpi-namer.ts', import.meta.url).href;
  const script = `const { createNdpiNamer } = await import(${JSON.stringify(url)});
    await createNdpiNamer({}, () => undefined).catch((error) => { console.log(error.code); });`;
  const run = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8', timeout: 20_000 });
  if (run.stdout.includes('ndpi-')) return context.skip(run.stdout.trim());
  assert.equal(run.status, 0, run.stderr);
});
