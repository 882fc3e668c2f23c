/**
 * One domain of a saved state: who it is, its templates and options, its counts. What is read is checked as if the
 * network had sent it. Every function writes what it is given, or reads when the bytes are read (`state-bytes.ts`).
 */
import { carryNumbering } from './carry-numbering.ts';
import { ExportDomain } from './export-domain.ts';
import type { ExportDecoderOptions, ExportVersion } from './export-types.ts';
import { createMessageHeader } from './message-header.ts';
import type { OpenMessage } from './open-message.ts';
import type { OptionRoom } from './options.ts';
import type { StateBytes } from './state-bytes.ts';
import { createTemplate, isHollow, scopeEnterprise, type Template, type TemplateField } from './template.ts';
import type { TemplateCache } from './template-cache.ts';

/** What a domain is read into. */
export type DomainHome = {
  readonly cache: TemplateCache;
  readonly room: OptionRoom;
  readonly options: ExportDecoderOptions;
  /** Open messages of all domains that may still be read. */
  readonly openMessages: { left: number };
};

const nowhere = new ExportDomain([0, 0, 0, 0], 10, 0);

/**
 * A domain with everything but the sets that wait.
 *
 * @param given     the domain to write
 * @param messages  its open messages, by which waiting sets name them; filled when reading
 */
export function carryDomain(bytes: StateBytes, given: ExportDomain | undefined, messages: OpenMessage[],
  home: DomainHome): ExportDomain {
  const domain = carryIdentity(bytes, given, home);
  domain.datagrams = bytes.count(domain.datagrams);
  domain.records = bytes.count(domain.records);
  domain.flows = bytes.count(domain.flows);
  domain.duplicates = bytes.count(domain.duplicates);
  domain.lastReceivedMs = bytes.finite(domain.lastReceivedMs);
  domain.lastExportMs = bytes.finite(domain.lastExportMs);
  carryOptions(bytes, domain, home.room);
  bytes.list(domain.templates.values(), (cached) => {
    const template = carryTemplate(bytes, cached?.template, domain.version, home.options.templateFieldsMax);
    if (template === undefined || cached !== undefined) return;
    bytes.expect(home.cache.put(domain, template), 'The state has more templates than may be kept.');
  });
  carryNumbering(bytes, domain, messages, home.openMessages);
  return domain;
}

function carryIdentity(bytes: StateBytes, given: ExportDomain | undefined, { cache }: DomainHome): ExportDomain {
  const [word0, word1, word2, word3] = (given ?? nowhere).exporter;
  const exporter = [bytes.word(word0), bytes.word(word1), bytes.word(word2), bytes.word(word3)] as const;
  const version = bytes.byte(given?.version ?? 0);
  const id = bytes.word(given?.domain ?? 0);
  if (given !== undefined) return given;
  bytes.expect(version === 5 || version === 9 || version === 10, 'The state has a version that there is none of.');
  if (bytes.fault !== undefined) return new ExportDomain(exporter, 10, 0);
  const header = { ...createMessageHeader(), version: version as ExportVersion, domain: id };
  bytes.expect(cache.findKnownDomain(exporter, header) === undefined, 'The state has a domain twice.');
  const found = cache.findDomain(exporter, header);
  bytes.expect(found !== undefined, 'The state has more domains than may be kept.');
  return found ?? new ExportDomain(exporter, 10, 0);
}

function carryOptions(bytes: StateBytes, { options }: ExportDomain, room: OptionRoom): void {
  const isTold = bytes.flag(options.systemInitMs !== undefined);
  const systemInitMs = bytes.finite(options.systemInitMs ?? 0);
  options.systemInitMs = isTold ? systemInitMs : undefined;
  options.samplingInterval = bytes.finite(options.samplingInterval);
  bytes.expect(options.samplingInterval >= 0, 'The state has a sampling interval below zero.');
  const isWriting = !bytes.isReading;
  const hasRoom = (size: number): boolean =>
    bytes.expect(size < room.perDomain && room.left-- > 0, 'The state has more options than may be kept.');
  bytes.list(options.samplers, (entry) => {
    const [sampler, interval] = [bytes.finite(entry?.[0] ?? 0), bytes.finite(entry?.[1] ?? 0)];
    if (!isWriting && hasRoom(options.samplers.size)) options.samplers.set(sampler, interval);
  });
  bytes.list(options.applications, (entry) => {
    const given = entry?.[0] ?? 0;
    const isNumber = bytes.flag(typeof given === 'number');
    const key = isNumber ? bytes.finite(given as number) : bytes.text(given as string);
    const name = bytes.text(entry?.[1] ?? '');
    if (!isWriting && hasRoom(options.applications.size)) options.applications.set(key, name);
  });
}

/** Undefined when what is read is no template. */
function carryTemplate(bytes: StateBytes, given: Template | undefined, version: ExportVersion, fieldsMax: number):
Template | undefined {
  const id = bytes.half(given?.id ?? 0);
  const isOptions = bytes.flag(given?.kind === 'options');
  const fields: TemplateField[] = [];
  bytes.list(given?.fields ?? [], (field) => {
    const isScope = bytes.flag(field?.isScope ?? false);
    // Scopes of NetFlow v9 have numbers of their own, which no enterprise of 32 bits has.
    const hasOwn = bytes.flag(field?.enterprise === scopeEnterprise);
    const enterprise = bytes.word(hasOwn ? 0 : field?.enterprise ?? 0);
    const elementId = bytes.half(field?.elementId ?? 0);
    const lengthBytes = bytes.half(field?.lengthBytes ?? 0);
    bytes.expect(!hasOwn || isScope && version === 9, 'The state has a scope where there is none.');
    bytes.expect(fields.length < fieldsMax, 'The state has a template with too many fields.');
    fields.push({ enterprise: hasOwn ? scopeEnterprise : enterprise, elementId, lengthBytes, isScope });
  });
  if (given !== undefined || bytes.fault !== undefined) return given;
  const template = createTemplate(id, isOptions ? 'options' : 'data', fields);
  return bytes.expect(id >= 256 && version !== 5 && fields.length > 0 && !isHollow(template),
    'The state has a template that no exporter may send.') ? template : undefined;
}
