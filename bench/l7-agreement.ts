/**
 * How often our names (ports and an owner table, no payload) agree with nDPI's (payload) on real captures: the figures
 * of docs/l7-names.md. Run by hand: `node bench/l7-agreement.ts`. Needs `ndpiReader` and the shared captures.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseAddress, parsePrefix, isInPrefix, systemClock, type AddressWords } from '#base';
import { clearRow, createFlowBatch, createPrefixNamer } from '#flow';
import { splitNdpiName } from './ndpi-names.ts';

type Names = { readonly service: string; readonly owner: string };
type Conversation = {
  readonly protocol: number;
  readonly initiator: End;
  readonly responder: End;
  readonly ndpi: Names;
  /** nDPI recognised the payload; else it guessed from a port or an address, or knew nothing. */
  readonly isFromPayload: boolean;
};
type Named = Conversation & { readonly ours: Names };

const sets = ['fit', 'sentinel', 'plug', 'hub', 'nku'];
const captures = fileURLToPath(new URL('../../shared/data/captures', import.meta.url));
const notGlobalIPv4 = ['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12',
  '192.168.0.0/16', '224.0.0.0/3'].flatMap((text) => parsePrefix(text) ?? []);
const notGlobalIPv6 = ['::/8', 'fc00::/7', 'fe80::/10', 'ff00::/8'].flatMap((text) => parsePrefix(text) ?? []);

type End = { readonly words: AddressWords; readonly port: number; readonly isGlobal: boolean };

function readEnd(address: string, port: string): End | undefined {
  const words = parseAddress(address);
  if (words === undefined) return undefined;
  const prefixes = address.includes(':') ? notGlobalIPv6 : notGlobalIPv4;
  const isGlobal = !prefixes.some((prefix) => isInPrefix(Uint32Array.from(words), 0, prefix));
  return { words, port: Number(port), isGlobal };
}

/** The conversations of a capture as `ndpiReader` tells them. The first eleven columns hold no text of a peer. */
function readConversations(capture: string, folder: string): Conversation[] {
  const table = join(folder, 'flows.csv');
  rmSync(table, { force: true });
  const text = execFileSync('ndpiReader', ['-I', '-v', '2', '-q', '-C', table, '-i', capture],
    { encoding: 'latin1', maxBuffer: 1 << 28, stdio: ['ignore', 'pipe', 'ignore'] });
  const recognised = readRecognised(text);
  const lines = readFileSync(table, 'latin1').split('\n').filter((line) => /^\d+,/.test(line));
  return lines.flatMap((line) => {
    const [, protocol, , , , source = '', sourcePort = '', ...more] = line.split(',');
    const [destination = '', destinationPort = '', , name = ''] = more;
    const from = readEnd(source, sourcePort);
    const to = readEnd(destination, destinationPort);
    if (from === undefined || to === undefined) return [];
    // As the meter does it: the side inside the home is the initiator.
    const [initiator, responder] = from.isGlobal && !to.isGlobal ? [to, from] : [from, to];
    const isFromPayload = recognised.has(`${source}:${sourcePort} ${destination}:${destinationPort}`);
    return [{ protocol: Number(protocol), initiator, responder, ndpi: splitNdpiName(name), isFromPayload }];
  });
}

/** Ends of the conversations whose payload nDPI says that it recognised, from the text that goes with the table. */
function readRecognised(text: string): Set<string> {
  const ends = new Set<string>();
  for (const line of text.split('\n')) {
    const [, source, destination] = /^\s*\d+\s+\S+ (\S+) <?->? (\S+) .*\[Confidence: DPI\]/.exec(line) ?? [];
    if (source !== undefined && destination !== undefined) ends.add(`${source} ${destination}`.replace(/[[\]]/g, ''));
  }
  return ends;
}

/** True when one side is a global address and the other is not. */
function isOutward({ initiator, responder }: Conversation): boolean {
  return responder.isGlobal && !initiator.isGlobal;
}

/** Gives every conversation the name that our namer gives a flow of it. */
function nameConversations(conversations: readonly Conversation[]): Named[] {
  const named: Named[] = [];
  const batch = createFlowBatch(1);
  const namer = createPrefixNamer(() => {});
  batch.rowCount = 1;
  for (const conversation of conversations) {
    clearRow(batch, 0);
    batch.columns.protocolIdentifier[0] = conversation.protocol;
    batch.columns.sourceAddress.set(conversation.initiator.words);
    batch.columns.destinationAddress.set(conversation.responder.words);
    batch.columns.sourceTransportPort[0] = conversation.initiator.port;
    batch.columns.destinationTransportPort[0] = conversation.responder.port;
    namer.name(batch);
    const name = batch.dictionaries.applicationName.decode(batch.columns.applicationName[0] as number);
    const [service = '', owner = ''] = name.split('.');
    named.push({ ...conversation, ours: { service, owner } });
  }
  return named;
}

const none: Readonly<Record<keyof Names, string>> = { service: 'Unknown', owner: '' };

/** Cells of one row, as shares of all conversations; that neither has a name counts as equal. */
function compare(named: readonly Named[], part: keyof Names): string[] {
  const count = (holds: (ndpi: string, ours: string) => boolean): number =>
    named.filter(({ ndpi, ours }) => holds(ndpi[part], ours[part])).length;
  const nothing = none[part];
  const counts = [
    count((ndpi, ours) => ndpi === ours),
    count((ndpi, ours) => ndpi === ours && ndpi !== nothing),
    count((ndpi, ours) => ndpi !== ours && ndpi !== nothing && ours !== nothing),
    count((ndpi, ours) => ndpi !== nothing && ours === nothing),
    count((ndpi, ours) => ndpi === nothing && ours !== nothing),
  ];
  return counts.map((value) => named.length === 0 ? '–' : `${(100 * value / named.length).toFixed(1)} %`);
}

type BySet = ReadonlyMap<string, readonly Named[]>;

function printComparison(title: string, bySet: BySet, part: keyof Names, keep: (named: Named) => boolean): void {
  console.log(`\n${title}\n`);
  console.log('| captures | conversations | equal | equal and named | both named, different | only nDPI | only ours |');
  console.log('|---|---|---|---|---|---|---|');
  for (const [set, all] of bySet) {
    const named = all.filter(keep);
    console.log(`| ${set} | ${named.length} | ${compare(named, part).join(' | ')} |`);
  }
}

function printDisagreements(title: string, named: readonly Named[], part: keyof Names, rowsMax: number): void {
  const counts = new Map<string, number>();
  for (const { ndpi, ours, protocol, responder: { port } } of named) {
    if (ndpi[part] === ours[part]) continue;
    const transport = ({ 6: 'tcp', 17: 'udp' } as Record<number, string>)[protocol] ?? `ip ${protocol}`;
    const where = part === 'service' ? `${transport} ${port >= 32_768 ? '≥ 32768' : port}` : ours.service;
    const key = `${ndpi[part] || '(none)'} | ${ours[part] || '(none)'} | ${where}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  console.log(`\n${title}\n\n| nDPI | ours | ${part === 'service' ? 'port' : 'service'} | conversations |`);
  console.log('|---|---|---|---|');
  const rows = [...counts].sort(([, a], [, b]) => b - a).slice(0, rowsMax);
  for (const [key, count] of rows) console.log(`| ${key} | ${count} |`);
}

function run(): void {
  if (!existsSync(captures)) return console.log('Skipped: the shared captures are not here.');
  const folder = mkdtempSync(join(tmpdir(), 'natlens-agreement-'));
  try {
    const bySet = new Map(sets.map((set) => {
      const files = globSync('**/*.pcap', { cwd: join(captures, set) }).sort();
      const conversations = files.flatMap((file) => readConversations(join(captures, set, file), folder));
      return [set, nameConversations(conversations)] as const;
    }));
    const all = [...bySet.values()].flat();
    bySet.set('all', all);
    const version = /nDPI (\S+)/.exec(execFileSync('ndpiReader', ['-h'], { encoding: 'utf8' }))?.[1] ?? '?';
    const today = new Date(systemClock.nowMs()).toISOString().slice(0, 10);
    console.log(`${today}, nDPI ${version}, ours: ${createPrefixNamer(() => {}).version}`);
    printComparison('Service, all conversations', bySet, 'service', () => true);
    printComparison('Service, conversations that leave the home', bySet, 'service', isOutward);
    printComparison('Service, payload recognised by nDPI', bySet, 'service', (named) => named.isFromPayload);
    printComparison('Owner, conversations that leave the home', bySet, 'owner', isOutward);
    const isInnerDns = (named: Named): boolean => !isOutward(named) && named.ndpi.service === 'DNS';
    printComparison('Owner, DNS inside the home', bySet, 'owner', isInnerDns);
    printDisagreements('Services that differ most often', all, 'service', 14);
    printDisagreements('Owners that differ most often', all, 'owner', 16);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

run();
