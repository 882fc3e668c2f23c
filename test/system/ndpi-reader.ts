/**
 * ndpiReader as the oracle of our nDPI names: runs it, reads its CSV, meters the same capture with `--l7 ndpi`, and
 * compares per conversation. tshark tells what lies inside tunnels. Nothing here knows how our namer works.
 */
import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { formatAddress } from '#base';
import { openByteSource, readCapture } from '#capture';
import { createDictionaries, Meter, type FlowBatch, type MeterOptions, type Namer } from '#flow';
import { createNdpiNamer } from '#flow/ndpi';

/** A row of ndpiReader's CSV. */
export type OracleRow = { readonly key: string; readonly name: string; readonly packets: number };

/** What differs between ndpiReader and us on one capture. */
export type Comparison = {
  readonly capture: string;
  /** Conversations that both name. */
  readonly comparedCount: number;
  /** Those whose names differ: `key: theirs, ours`. */
  readonly differing: readonly string[];
  /** Conversations of ndpiReader for which there is no flow. */
  readonly missing: readonly OracleRow[];
  /** Entries of `notConversations` that ndpiReader did not give: 0, or the table is wrong. */
  readonly absentKnown: number;
};

/**
 * Rows of ndpiReader that are no conversations of ours, by capture. In each it reads something else than the packet
 * says.
 */
export const notConversations: ReadonlyMap<string,
  { readonly why: string; readonly keys: readonly string[] }> = new Map([
  ['ajp.pcap', {
    why: 'frames of EtherType 0x8903 (Cisco FabricPath) are read as if IP followed',
    keys: ['80 0.7.8.0|0 93.88.129.0|0', '80 0.7.8.0|0 142.243.129.0|0'],
  }],
  ['fuzz-2006-09-29-28586.pcap', {
    why: 'a frame of EtherType 0x0881 is read as IP; a TCP segment of 15 bytes becomes a conversation of port 0, ' +
      'which we have for later fragments',
    keys: ['6 172.20.3.13|80 76.20.3.5|2602', '6 172.20.3.13|0 172.20.3.5|0'],
  }],
  ['fuzz-2021-10-13.pcap', {
    why: 'a loopback frame of an address family that does not exist is read as IPv6',
    keys: ['6 302e::3d00::8001|0 3400:3a30:3035:2f75:706c:6f32:643f:6c3d|44288'],
  }],
]);

/** Programs that a comparison runs. */
export const oracleNeeds = ['ndpiReader', 'tshark'];

/**
 * Key of a conversation: protocol and both sides, the lesser first. Ports count for TCP and UDP only, as in ndpiReader.
 */
export function conversationKey(protocol: number, address: string, port: number, otherAddress: string,
  otherPort: number): string {
  const hasPorts = protocol === 6 || protocol === 17;
  const one = `${asNdpiReader(address)}|${hasPorts ? port : 0}`;
  const other = `${asNdpiReader(otherAddress)}|${hasPorts ? otherPort : 0}`;
  return `${protocol} ${one < other ? `${one} ${other}` : `${other} ${one}`}`;
}

/** Runs `ndpiReader -I -v 2 -C` on a capture. */
export async function runNdpiReader(capture: string): Promise<OracleRow[]> {
  const folder = mkdtempSync(join(tmpdir(), 'natlens-ndpi-'));
  try {
    const table = join(folder, 'out.csv');
    await promisify(execFile)('ndpiReader', ['-I', '-v', '2', '-C', table, '-i', capture, '-q'],
      { maxBuffer: 1 << 28 });
    return readFileSync(table, 'latin1').split('\n').filter((line) => /^\d+,\d+,/.test(line)).map(readRow);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function readRow(line: string): OracleRow {
  const fields = line.split(',');
  const text = (at: number): string => fields[at] ?? '';
  const key = conversationKey(Number(text(1)), text(5), Number(text(6)), text(7), Number(text(8)));
  return { key, name: text(10), packets: Number(text(12)) + Number(text(15)) };
}

/** An IPv6 address as ndpiReader writes it: every single zero group becomes `::` as well. */
function asNdpiReader(address: string): string {
  return address.replace(/:0(?=:)/g, ':');
}

/** Names of our flows by conversation, of one capture metered with a namer that is ended afterwards. */
export async function nameCapture(
  capture: string, createNamer: (emit: (flows: FlowBatch) => void) => Promise<Namer>,
    options: Partial<MeterOptions> = {},
): Promise<{ names: Map<string, Set<string>>; flowCount: number; counts: Record<string, number> }> {
  const names = new Map<string, Set<string>>();
  let flowCount = 0;
  const namer = await createNamer((flows) => {
    flowCount += flows.rowCount;
    collectNames(flows, names);
  });
  const meter = new Meter(options, (flows) => namer.name(flows), {
    observe: (packets, headers, slots, count) => namer.observe(packets, headers, slots, count),
    dictionaries: createDictionaries(),
  });
  const source = await openByteSource(capture);
  try {
    for await (const batch of readCapture(source).batches()) {
      meter.add(batch);
      const ready = namer.whenReady();
      if (ready !== undefined) await ready;
    }
  } finally {
    await source.close();
  }
  meter.end();
  await namer.end();
  return { names, flowCount, counts: namer.counts() };
}

function collectNames(flows: FlowBatch, names: Map<string, Set<string>>): void {
  const columns = flows.columns;
  for (let row = 0; row < flows.rowCount; row++) {
    const key = conversationKey(columns.protocolIdentifier[row] as number,
      formatAddress(columns.sourceAddress, row * 4), columns.sourceTransportPort[row] as number,
      formatAddress(columns.destinationAddress, row * 4), columns.destinationTransportPort[row] as number);
    const name = flows.dictionaries.applicationName.decode(columns.applicationName[row] as number);
    const known = names.get(key);
    if (known === undefined) names.set(key, new Set([name]));
    else known.add(name);
  }
}

/** Compares one capture. @param askOracle  where ndpiReader's rows are known already, or on their way */
export async function compareCapture(
  capture: string, options: Partial<MeterOptions> = {}, askOracle = runNdpiReader,
): Promise<Comparison> {
  const rows = await askOracle(capture);
  const { names } = await nameCapture(capture, (emit) => createNdpiNamer({}, emit), options);
  const outside = rows.some((row) => !names.has(row.key)) ? readTunnels(capture) : new Map<string, string>();
  const differing: string[] = [];
  const missing: OracleRow[] = [];
  let comparedCount = 0;
  const known = notConversations.get(basename(capture))?.keys ?? [];
  let knownCount = 0;
  for (const row of rows) {
    if (known.includes(row.key)) {
      knownCount++;
      continue;
    }
    const ours = names.get(row.key) ?? names.get(outside.get(row.key) ?? '');
    if (ours === undefined) {
      missing.push(row);
      continue;
    }
    comparedCount++;
    if (ours.size !== 1 || !ours.has(row.name)) differing.push(`${row.key}: ${row.name}, ${[...ours].join(' and ')}`);
  }
  return { capture, comparedCount, differing, missing, absentKnown: known.length - knownCount };
}

/** Conversation inside a tunnel to the one outside, from tshark's dissection of IP in IP. */
function readTunnels(capture: string): Map<string, string> {
  const fields = ['ip.src', 'ip.dst', 'ipv6.src', 'ipv6.dst', 'ip.proto', 'ipv6.nxt', 'tcp.srcport', 'udp.srcport',
    'tcp.dstport',
    'udp.dstport', 'frame.protocols'];
  // tshark ends with an error where a capture is cut, after what could be read.
  const { stdout } = spawnSync('tshark', ['-r', capture, '-T', 'fields', ...fields.flatMap((field) => ['-e', field])],
    { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], maxBuffer: 1 << 28 });
  const outside = new Map<string, string>();
  for (const line of stdout.split('\n')) {
    const values = line.split('\t').map((value) => value.split(','));
    const layers = (values[10]?.[0] ?? '').split(':').filter((layer) => layer === 'ip' || layer === 'ipv6');
    if (layers.length < 2) continue;
    const sides = layers.map((layer, i) => {
      const nth = layers.slice(0, i).filter((other) => other === layer).length;
      const [source, destination, protocol] = layer === 'ip' ? [0, 1, 4] : [2, 3, 5];
      return { source: values[source]?.[nth] ?? '', destination: values[destination]?.[nth] ?? '',
        protocol: Number(values[protocol]?.[nth]) };
    });
    const outer = sides[0] as (typeof sides)[number];
    const inner = sides.at(-1) as (typeof sides)[number];
    const sourcePort = Number(values[6]?.[0] || values[7]?.[0] || 0);
    const destinationPort = Number(values[8]?.[0] || values[9]?.[0] || 0);
    outside.set(conversationKey(inner.protocol, inner.source, sourcePort, inner.destination, destinationPort),
      conversationKey(outer.protocol, outer.source, 0, outer.destination, 0));
  }
  return outside;
}
