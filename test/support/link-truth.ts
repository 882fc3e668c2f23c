/**
 * What is true of a link with exporters at one end and a collector at the other, from a capture at each end, for tests.
 * Written apart from capture room and decoder: pcap by its file format, frames by `frame-reader.ts`, records by
 * `export-account.ts`. Nothing here guesses: which datagram was lost is seen, not concluded from sequence numbers.
 */
import { ExportAccount } from './export-account.ts';
import { readFrame } from './frame-reader.ts';

export type LinkDatagram = {
  readonly exporter: string;
  readonly sourcePort: number;
  readonly timeMs: number;
  readonly bytes: Uint8Array;
};

/** Times between which nobody listened, by the captures' clock. */
export type Silence = { readonly fromMs: number; readonly untilMs: number };

/** Of one exporter, version and domain; in units of its sequence numbers but where something else is said. */
export type DomainTruth = {
  readonly exporter: string;
  readonly version: number;
  readonly domain: number;
  /** From the first datagram that came to the last one, over all runs: what sequence numbers can tell. */
  readonly sent: number;
  /** Of these, those that came to a socket, each once. */
  readonly came: number;
  readonly lostOnTheWay: number;
  readonly lostWhileStopped: number;
  /** Datagrams that came again. */
  readonly copies: number;
  /** Those of them without a record: directly behind the first, nothing tells them from a message sent twice. */
  readonly emptyCopies: number;
  /** Datagrams that came after a later one. */
  readonly late: number;
  /** Datagrams that came first, and that were sent. */
  readonly datagramsCame: number;
  readonly datagramsSent: number;
  readonly runs: number;
  /** Ports that datagrams were sent from. */
  readonly ports: number;
  /** Flow records that can be read from what came, and what keeps others from it. */
  readonly flows: number;
  readonly waitingSets: number;
  readonly rejected: Readonly<Record<string, number>>;
};

const noLimit = Number.MAX_SAFE_INTEGER;
const createAccount = (): ExportAccount => new ExportAccount({
  exportDomainsMax: noLimit, exportDomainsOfAddressMax: noLimit, templatesPerDomainMax: noLimit,
  templatesTotalMax: noLimit, templateFieldsMax: noLimit, templateFieldsTotalMax: noLimit,
  waitingBytesMax: noLimit, waitingMs: noLimit,
});

/** UDP datagrams to a port in a pcap file of Ethernet as tcpdump writes it. @throws Error  any frame is not whole */
export function readLinkCapture(pcap: Uint8Array, port: number): LinkDatagram[] {
  const view = new DataView(pcap.buffer, pcap.byteOffset, pcap.byteLength);
  if (view.getUint32(0, true) !== 0xa1b2c3d4 || view.getUint32(20, true) !== 1) throw new Error('no such pcap file');
  const datagrams: LinkDatagram[] = [];
  for (let at = 24; at < pcap.length;) {
    const capturedBytes = view.getUint32(at + 8, true);
    const timeMs = view.getUint32(at, true) * 1000 + view.getUint32(at + 4, true) / 1000;
    if (capturedBytes !== view.getUint32(at + 12, true)) throw new Error(`a frame at ${at} is cut`);
    const frame = readFrame(pcap.slice(at + 16, at + 16 + capturedBytes));
    at += 16 + capturedBytes;
    if (frame.protocol !== 17 || frame.destinationPort !== port) continue;
    if (frame.isFragment) throw new Error('a datagram is in fragments');
    datagrams.push({ exporter: frame.source, sourcePort: frame.sourcePort, timeMs, bytes: frame.payload });
  }
  return datagrams;
}

type Header = { readonly version: number; readonly sequence: number; readonly domain: number };

/** RFC 3954 §5.1, RFC 7011 §3.1, and NetFlow v5's engine type and id. @throws Error  it is no export */
function readHeader(bytes: Uint8Array): Header {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const version = view.getUint16(0);
  if (version === 5) return { version, sequence: view.getUint32(16), domain: view.getUint16(20) };
  if (version !== 9 && version !== 10) throw new Error(`version ${version} is none that a truth is known of`);
  const at = version === 9 ? 12 : 8;
  return { version, sequence: view.getUint32(at), domain: view.getUint32(at + 4) };
}

type SentMessage = {
  readonly run: number;
  readonly units: number;
  readonly bytes: Uint8Array;
  readonly sourcePort: number;
  /** Arrivals at a socket, ascending. */
  readonly cameMs: number[];
};

type SentDomain = {
  readonly exporter: string;
  readonly header: Header;
  readonly account: ExportAccount;
  readonly messages: SentMessage[];
  run: number;
  /** Number that the next message of this run has, less its own units where numbers count these. */
  expected: number;
};

const keyOf = ({ exporter, sourcePort, bytes }: LinkDatagram): string =>
  `${exporter} ${sourcePort} ${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')}`;
const domainKey = (exporter: string, { version, domain }: Header): string => `${exporter} ${version} ${domain}`;

/**
 * @param sent      in the order in which they were sent
 * @param arrived   in the order in which they came
 * @param silences  when nobody listened, ascending
 * @param numbersAfter  exporters whose IPFIX numbers count the message's own flows, as softflowd's do
 * @throws Error  something arrived that was not sent, or the same was sent twice
 */
export function accountLink(
  sent: readonly LinkDatagram[], arrived: readonly LinkDatagram[], silences: readonly Silence[],
  numbersAfter: ReadonlySet<string> = new Set(),
): DomainTruth[] {
  const domains = new Map<string, SentDomain>();
  const byKey = new Map<string, { domain: SentDomain; index: number }>();
  for (const datagram of sent) {
    const domain = addSent(domains, datagram, numbersAfter);
    if (byKey.has(keyOf(datagram))) throw new Error(`${datagram.exporter} sent the same twice`);
    byKey.set(keyOf(datagram), { domain, index: domain.messages.length - 1 });
  }
  const arrivals = new Map<SentDomain, { index: number; timeMs: number }[]>();
  for (const datagram of arrived) {
    const found = byKey.get(keyOf(datagram));
    if (found === undefined) throw new Error(`${datagram.exporter}: something came that was not sent`);
    const { timeMs } = datagram;
    if (silences.some(({ fromMs, untilMs }) => timeMs >= fromMs && timeMs < untilMs)) continue;
    found.domain.messages[found.index]?.cameMs.push(timeMs);
    const own = arrivals.get(found.domain) ?? [];
    if (own.push({ index: found.index, timeMs }) === 1) arrivals.set(found.domain, own);
  }
  return [...domains.values()].map((domain) => accountDomain(domain, arrivals.get(domain) ?? [], silences));
}

function addSent(domains: Map<string, SentDomain>, { exporter, sourcePort, bytes }: LinkDatagram,
  numbersAfter: ReadonlySet<string>): SentDomain {
  const header = readHeader(bytes);
  const key = domainKey(exporter, header);
  const domain = domains.get(key) ??
    { exporter, header, account: createAccount(), messages: [], run: -1, expected: Number.NaN };
  domains.set(key, domain);
  const isAfter = header.version === 10 && numbersAfter.has(exporter);
  const counted = isAfter ? 'flows' : 'records';
  const before = domain.account.totals()[counted] as number;
  domain.account.take({ bytes, exporter: [0, 0, 0, 0], receivedMs: 0 });
  const units = header.version === 9 ? 1 : domain.account.totals()[counted] as number - before;
  const first = isAfter ? (header.sequence - units) >>> 0 : header.sequence;
  if (first !== domain.expected) domain.run++;
  domain.expected = (first + units) >>> 0;
  domain.messages.push({ run: domain.run, units, bytes, sourcePort, cameMs: [] });
  return domain;
}

type Arrival = { readonly index: number; readonly timeMs: number };

function accountDomain({ exporter, header, messages, run }: SentDomain, arrivals: readonly Arrival[],
  silences: readonly Silence[]): DomainTruth {
  const stopped = findStopped(messages, arrivals, silences);
  const sums = { sent: 0, came: 0, lostOnTheWay: 0, lostWhileStopped: 0 };
  for (let each = 0; each <= run; each++) {
    const first = messages.findIndex((message) => message.run === each && message.cameMs.length > 0);
    const last = messages.findLastIndex((message) => message.run === each && message.cameMs.length > 0);
    for (let i = Math.max(first, 0); i <= last; i++) {
      const { units, cameMs } = messages[i] as SentMessage;
      sums.sent += units;
      sums[cameMs.length > 0 ? 'came' : stopped.has(i) ? 'lostWhileStopped' : 'lostOnTheWay'] += units;
    }
  }
  const account = createAccount();
  const seen = new Set<number>();
  let [late, latest, emptyCopies] = [0, -1, 0];
  for (const { index, timeMs } of arrivals) {
    if (seen.has(index)) {
      emptyCopies += messages[index]?.units === 0 ? 1 : 0;
      continue;
    }
    seen.add(index);
    if (index < latest) late++;
    latest = Math.max(latest, index);
    account.take({ bytes: messages[index]?.bytes as Uint8Array, exporter: [0, 0, 0, 0], receivedMs: timeMs });
  }
  const totals = account.totals() as { flows: number; waiting: { sets: number }; rejected: Record<string, number> };
  return {
    exporter, version: header.version, domain: header.domain, ...sums,
    copies: arrivals.length - seen.size, emptyCopies, late, datagramsCame: seen.size, datagramsSent: messages.length,
    runs: run + 1, ports: new Set(messages.map(({ sourcePort }) => sourcePort)).size,
    flows: totals.flows, waitingSets: totals.waiting.sets, rejected: totals.rejected,
  };
}

/** Messages between the last that came before a silence and the first that came after it, of one run. */
function findStopped(messages: readonly SentMessage[], arrivals: readonly Arrival[], silences: readonly Silence[]):
Set<number> {
  const stopped = new Set<number>();
  for (const { fromMs, untilMs } of silences) {
    const before = arrivals.filter(({ timeMs }) => timeMs < fromMs)
      .reduce((most, { index }) => Math.max(most, index), -1);
    const after = arrivals.find(({ timeMs }) => timeMs >= untilMs)?.index ?? -1;
    if (before < 0 || messages[before]?.run !== messages[after]?.run) continue;
    for (let i = before + 1; i < after; i++) stopped.add(i);
  }
  return stopped;
}
