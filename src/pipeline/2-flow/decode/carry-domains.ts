/**
 * All domains of a saved state, then the sets that wait for a template, in the order in which they came. Writes, or
 * reads when the bytes are read (`state-bytes.ts`).
 */
import { limits } from '#base';
import { carryDomain, type DomainHome } from './carry-domain.ts';
import { isSound } from './carry-numbering.ts';
import type { ExportDomain } from './export-domain.ts';
import { createMessageHeader, type MessageHeader } from './message-header.ts';
import type { OpenMessage } from './open-message.ts';
import type { StateBytes } from './state-bytes.ts';
import { entryBytes, type WaitingSet, type WaitingSets } from './waiting-sets.ts';

/** The largest datagram that there is, and so the largest set. */
const setBytesMax = 65_535;

/** Messages that two runs of both ways of numbering hold in holes and at their ends. */
const heldOfDomainMax = 4 * (limits.sequenceHolesMax + 2);

export type DecoderHome = Omit<DomainHome, 'openMessages'> & { readonly waiting: WaitingSets };

type Known = { readonly domain: ExportDomain; readonly messages: OpenMessage[] };

/** @param home  what is written; when reading it is empty, and filled */
export function carryDomains(bytes: StateBytes, home: DecoderHome): void {
  const { cache, waiting } = home;
  const places = new Map<ExportDomain, number>();
  const messagesOf = new Map<ExportDomain, Set<OpenMessage>>();
  for (const { domain, message } of waiting.all()) {
    const messages = messagesOf.get(domain) ?? new Set();
    messagesOf.set(domain, messages.add(message));
  }
  const { waitingBytesMax, exportDomainsMax } = home.options;
  const openMessages = {
    left: Math.ceil(waitingBytesMax / entryBytes) + exportDomainsMax * heldOfDomainMax,
  };
  const known: Known[] = [];
  bytes.list(cache.domains(), (given) => {
    const messages = given === undefined ? [] : [...messagesOf.get(given) ?? []];
    const domain = carryDomain(bytes, given, messages, { ...home, openMessages });
    places.set(domain, known.length);
    known.push({ domain, messages });
  });
  const placeOf = new Map<OpenMessage, number>();
  for (const { messages } of known) for (const [place, message] of messages.entries()) placeOf.set(message, place);
  bytes.list(waiting.all(), (given) => {
    const domainPlace = bytes.word(given === undefined ? 0 : places.get(given.domain) ?? 0);
    const messagePlace = bytes.word(given === undefined ? 0 : placeOf.get(given.message) ?? 0);
    const found = known[domainPlace];
    const set = carrySet(bytes, given, found?.domain, found?.messages[messagePlace]);
    if (given !== undefined || set === undefined) return;
    if (bytes.expect(waiting.add(set), 'The state has more waiting sets than may be kept.')) set.message.waitingSets++;
  });
  if (!bytes.isReading) return;
  bytes.expect(known.every(({ domain, messages }) => isSound(domain, messages)),
    'An account of the state does not add up.');
}

function carrySet(bytes: StateBytes, given: WaitingSet | undefined, domain: ExportDomain | undefined,
  message: OpenMessage | undefined): WaitingSet | undefined {
  const templateId = bytes.half(given?.templateId ?? 0);
  const receivedMs = bytes.finite(given?.receivedMs ?? 0);
  const header = carryHeader(bytes, given?.header ?? createMessageHeader());
  const content = bytes.blob(given?.bytes ?? new Uint8Array(0));
  if (given !== undefined || domain === undefined || message === undefined) {
    bytes.expect(domain !== undefined && message !== undefined, 'The state has a waiting set of nobody.');
    return given;
  }
  const isGood = templateId >= 256 && content.length >= 4 && content.length <= setBytesMax && domain.version !== 5;
  if (!bytes.expect(isGood, 'The state has a waiting set that no exporter may send.')) return undefined;
  header.version = domain.version;
  header.domain = domain.domain;
  return { domain, templateId, header, receivedMs, bytes: content, message };
}

/** What readers of records look at; version and domain are those of the set's domain. */
function carryHeader(bytes: StateBytes, given: MessageHeader): MessageHeader {
  const header = { ...given };
  header.headerBytes = bytes.byte(header.headerBytes);
  header.announced = bytes.half(header.announced);
  header.uptimeMs = bytes.word(header.uptimeMs);
  header.exportMs = bytes.finite(header.exportMs);
  header.sequence = bytes.word(header.sequence);
  header.samplingInterval = bytes.half(header.samplingInterval);
  return header;
}
