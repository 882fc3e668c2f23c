/**
 * What an operator should know of a collector, in sentences: what is missing, of whom, since when, and what to do.
 * Pure. Bounded: the worst of each kind, and how many more there are.
 */
import { formatBytes, formatCount, formatDuration, limits } from '#base';
import { formatPlace } from '#capture/listen';
import type { ExportProblemCode } from '#flow';
import type { CollectorStatus, DomainStatus } from './status.ts';

type Told = Omit<CollectorStatus, 'sentences'>;

/** Sentences of one kind; the others are counted. */
const ofKindMax = 5;
/** Names of broken files. */
const leftOverShown = 3;

/** What is wrong with bytes, as the end of "… of its records …". */
const reasonTexts: Readonly<Partial<Record<ExportProblemCode, string>>> = {
  'no-template': 'no template came for them in time',
  'waiting-limit': 'there was no room to keep them until their template came',
  'cut-header': 'the message is cut within its header', 'cut-message': 'the message is cut',
  'trailing-bytes': 'there is something behind the end of the message', 'bad-set-length': 'a set has a wrong length',
  'cut-set': 'a set ends behind its message', 'reserved-set': 'a set has an id without a meaning',
  'bad-template': 'the template makes no sense', 'template-limit': 'the exporter has too many templates',
  'empty-record': 'the template describes records of no bytes', 'cut-record': 'a record ends behind its set',
};

/** The most pressing first. */
export function describeTroubles(status: Told): string[] {
  const { domains, nowMs } = status;
  return [
    ...describeOutput(status),
    ...worst(domains, ({ account }) => account.waitingFor[0] === undefined ? 0 : nowMs - account.waitingFor[0].sinceMs,
      (domain) => describeWaiting(domain, nowMs)),
    ...describeBuffers(status),
    ...worst(domains, ({ account }) => account.lostInKernel, (domain) =>
      `${countOf(domain, domain.account.lostInKernel)} of ${nameOf(domain)}: dropped on this host, which was behind.`),
    ...worst(domains, ({ account }) => account.lostOnTheWay, (domain) =>
      `${countOf(domain, domain.account.lostOnTheWay)} of ${nameOf(domain)}: lost on the way (${
        formatShare(domain.account.lostOnTheWay / domain.account.sent)} of what it sent): the network, or the ` +
      'exporter itself, dropped them.'),
    ...worst(domains, ({ account }) => account.lostWhileStopped, (domain) =>
      `${countOf(domain, domain.account.lostWhileStopped)} of ${nameOf(domain)}: missed while no collector ran.`),
    ...describeLimited(status),
    ...worst(domains, ({ account }) => undecodableOf(account.undecodable), describeUndecodable),
    ...worst(domains, ({ account }) => account.clockWarnings.skewed ? Math.abs(account.exportClockSkewMs ?? 0) + 1 : 0,
      describeSkew),
    ...worst(domains, ({ account }) => account.clockWarnings.wrapped, ({ account, ...domain }) =>
      `The uptime of ${nameOf(domain)} began anew ${formatCount(account.clockWarnings.wrapped)} times (every 49.7 ` +
      'days): times of flows around then may be off by as much.'),
    ...describeForwards(status),
    ...describeRest(status),
  ];
}

/** All that arrived and was not understood. */
function undecodableOf(undecodable: DomainStatus['account']['undecodable']): number {
  return Object.values(undecodable).reduce<number>((total, units) => total + (units ?? 0), 0);
}

function worst(
  domains: readonly DomainStatus[], weightOf: (domain: DomainStatus) => number,
  describe: (domain: DomainStatus) => string,
): string[] {
  const ranked = domains.map((domain) => ({ domain, weight: weightOf(domain) })).filter(({ weight }) => weight > 0)
    .sort((a, b) => b.weight - a.weight);
  const told = ranked.slice(0, ofKindMax).map(({ domain }) => describe(domain));
  const more = ranked.length - told.length;
  return more > 0 ? [...told, `The same of ${formatCount(more)} more exporters.`] : told;
}

/** `192.0.2.7 (v9, domain 3)`. */
function nameOf({ exporter, version, domain }: Pick<DomainStatus, 'exporter' | 'version' | 'domain'>): string {
  return `${exporter} (${protocolName(version)}${domain === 0 ? '' : `, domain ${domain}`})`;
}

export function protocolName(version: number): string {
  return version === 10 ? 'IPFIX' : `v${version}`;
}

/** `3 messages`. */
function countOf({ unit }: Pick<DomainStatus, 'unit'>, count: number): string {
  const noun = { flows: 'flow', packets: 'message', records: 'record' }[unit];
  return `${formatCount(count)} ${noun}${count === 1 ? '' : 's'}`;
}

function describeWaiting(domain: DomainStatus, nowMs: number): string {
  const { account } = domain;
  const [oldest] = account.waitingFor;
  if (oldest === undefined) return '';
  const bytes = account.waitingFor.reduce((sum, each) => sum + each.bytes, 0);
  const kept = account.waiting > 0 ? countOf(domain, account.waiting)
    : `${formatCount(oldest.sets)} set${oldest.sets === 1 ? '' : 's'}`;
  // Messages without their template do not tell how many records they hold: those before have told.
  const recordsOfMessage = domain.unit === 'packets' && account.decoded > 0 ? domain.records / account.decoded : 0;
  const estimate = Math.round(account.waiting * recordsOfMessage);
  const others = account.waitingFor.length - 1;
  return `Waiting for template ${oldest.templateId} of ${nameOf(domain)} since ${formatTime(oldest.sinceMs, nowMs)}${
    others > 0 ? `, and for ${formatCount(others)} more` : ''}; ${kept} kept (${formatBytes(bytes)}${
    estimate > 0 ? `, some ${formatCount(estimate)} records` : ''}) for at most ${
    formatDuration(limits.waitingSetMs)}.`;
}

/** `14:02 UTC`, with the day when that is another one. */
export function formatTime(timeMs: number, nowMs: number): string {
  if (!Number.isFinite(timeMs) || Math.abs(timeMs) > 8.64e15) return 'an unknown time';
  const text = new Date(timeMs).toISOString();
  const isToday = text.slice(0, 10) === new Date(nowMs).toISOString().slice(0, 10);
  return `${isToday ? '' : `${text.slice(0, 10)} `}${text.slice(11, 16)} UTC`;
}

/** Long times in minutes, hours and days. */
export function formatSpan(milliseconds: number): string {
  const minutes = Math.floor(milliseconds / 60_000);
  if (minutes < 10) return formatDuration(milliseconds);
  if (minutes < 120) return `${minutes} min`;
  return minutes < 2_880 ? `${Math.floor(minutes / 60)} h` : `${Math.floor(minutes / 1_440)} d`;
}

/** `0.4 %`, and never 0 of something. */
export function formatShare(share: number): string {
  const percent = share * 100;
  if (percent === 0) return '0 %';
  return percent < 0.01 ? '<0.01 %' : `${percent.toFixed(percent < 1 ? 2 : 1)} %`;
}

function describeUndecodable(domain: DomainStatus): string {
  const { account } = domain;
  const [first] = Object.entries(account.undecodable).sort(([, a], [, b]) => (b ?? 0) - (a ?? 0));
  const reason = reasonTexts[first?.[0] as ExportProblemCode] ?? first?.[0] ?? '';
  return `${countOf(domain, undecodableOf(account.undecodable))} of ${nameOf(domain)}: not decoded, most because ${
    reason}.`;
}

function describeSkew({ account, ...domain }: DomainStatus): string {
  const skewMs = account.exportClockSkewMs ?? 0;
  return `The clock of ${nameOf(domain)} is ${formatSpan(Math.abs(skewMs))} ${skewMs > 0 ? 'ahead' : 'behind'}: ` +
    'times of its flows are as wrong. Does it keep its time by NTP?';
}

function describeOutput({ output, flows, state, pairingLostByKill }: Told): string[] {
  const sentences: string[] = [];
  const lost = flows.reduce((sum, { notStored }) => sum + notStored, 0);
  if (output?.isFailing === true) sentences.push(`Rows cannot be written to ${output.folder}: ${
    output.lastError ?? 'no reason is known'}. They are counted and lost until that ends.`);
  if (lost > 0) sentences.push(`${formatCount(lost)} rows were not stored: the disk did not take them, or a kill ` +
    'came before their file was whole.');
  const leftOver = output?.leftOver ?? [];
  const more = leftOver.length - leftOverShown;
  if (leftOver.length > 0) sentences.push(`A run before was killed: ${leftOver.slice(0, leftOverShown).join(', ')}${
    more > 0 ? ` and ${formatCount(more)} more` : ''} in the output folder cannot be read, and may be deleted.`);
  if (pairingLostByKill > 0) sentences.push(`${formatCount(pairingLostByKill)} one-way records that waited for their ` +
    'other direction were lost by a kill.');
  if (state.fault !== null) sentences.push(`The state cannot be saved (${state.fault}): after a kill, templates and ` +
    'counts would be as old as it is.');
  return sentences;
}

function describeBuffers({ input }: Told): string[] {
  const small = input.sockets.flatMap((socket) => {
    const { receiveBufferBytes: granted, askedBytes: asked } = socket;
    return granted === null || asked === null || granted >= asked ? []
      : [`The kernel grants ${formatPlace(socket)} a receive buffer of ${formatBytes(granted)} instead of ${
        formatBytes(asked)}, so bursts may be lost: sysctl -w net.core.rmem_max=${asked} allows more.`];
  });
  return input.fallBackReason === null ? small : [...small, input.fallBackReason];
}

function describeLimited({ input }: Told): string[] {
  const { limitedMost, limited } = input.senders;
  const [first] = limitedMost;
  if (first === undefined) return [];
  const who = first.address === '' ? 'senders without a place of their own' : first.address;
  return [`${formatCount(limited)} datagrams were above input.rate_limit and not decoded, ${
    formatCount(first.limitedDatagrams)} of them of ${who}.`];
}

function describeForwards({ forward }: Told): string[] {
  return forward.filter(({ dropped, failed, tooLarge }) => dropped + failed + tooLarge > 0).map((each) =>
    `${formatCount(each.dropped + each.failed + each.tooLarge)} messages were not forwarded to ${each.to}${
      each.lastError === null ? '' : ` (${each.lastError})`}.`);
}

function describeRest({ input, exports, state }: Told): string[] {
  const sentences: string[] = [];
  const full = exports.rejected['exporter-limit'];
  if (full > 0) sentences.push(`${formatCount(full)} messages came of exporters beyond the ${
    formatCount(limits.exportDomainsMax)} that are kept apart, ${limits.exportDomainsOfAddressMax} of one address, ` +
    'and were refused: are there forged senders? ' +
    'input.exporters says who may send.');
  if (input.senders.foreign > 0) sentences.push(`${formatCount(input.senders.foreign)} datagrams came from addresses ` +
    'that are not among input.exporters.');
  if (state.restored === 'refused') sentences.push('The state of the run before could not be used; its log says why.');
  return sentences;
}
