/**
 * All domains of a decoder and their templates, within limits: domains, also those of one address, templates of a
 * domain, fields of all templates. At a limit the newcomer is refused and counted; what is known stays, so a flood
 * cannot push out a working exporter.
 */
import type { AddressWords } from '#base';
import { ExportDomain, type CachedTemplate } from './export-domain.ts';
import type { ExportDecoderOptions, ExportVersion } from './export-types.ts';
import type { MessageHeader } from './message-header.ts';
import { isSameTemplate, type Template } from './template.ts';

export type TemplateCacheLimits = Pick<ExportDecoderOptions,
  'exportDomainsMax' | 'exportDomainsOfAddressMax' | 'templatesPerDomainMax' | 'templatesTotalMax' |
  'templateFieldsTotalMax'>;

export class TemplateCache {
  readonly #limits: TemplateCacheLimits;
  readonly #domains = new Map<string, ExportDomain>();
  /** Domains of each address. */
  readonly #ofAddress = new Map<string, number>();
  /** Datagrams come in runs of one exporter: the last one is looked at first. */
  #last: ExportDomain | undefined;
  #fieldCount = 0;
  #templateCount = 0;

  constructor(cacheLimits: TemplateCacheLimits) {
    this.#limits = cacheLimits;
  }

  /** All domains, in the order in which they were met. */
  domains(): ExportDomain[] {
    return [...this.#domains.values()];
  }

  /** The domain of a message, made when it is new; undefined at the limit. */
  findDomain(exporter: AddressWords, { version, domain }: MessageHeader): ExportDomain | undefined {
    const last = this.#last;
    if (last !== undefined && last.domain === domain && last.version === version &&
      isSameAddress(last.exporter, exporter)) return last;
    const key = keyOf(exporter, version, domain);
    let found = this.#domains.get(key);
    if (found === undefined) {
      const address = exporter.join('.');
      const ofAddress = this.#ofAddress.get(address) ?? 0;
      if (this.#domains.size >= this.#limits.exportDomainsMax ||
        ofAddress >= this.#limits.exportDomainsOfAddressMax) return undefined;
      this.#ofAddress.set(address, ofAddress + 1);
      found = new ExportDomain(exporter, version, domain);
      this.#domains.set(key, found);
    }
    this.#last = found;
    return found;
  }

  /** The domain of a message, undefined when it is new. */
  findKnownDomain(exporter: AddressWords, { version, domain }: MessageHeader): ExportDomain | undefined {
    return this.#domains.get(keyOf(exporter, version, domain));
  }

  /** Takes a template in, over one of the same id if there is one. False at a limit; then the old one is kept. */
  put(domain: ExportDomain, template: Template): boolean {
    const old = domain.templates.get(template.id);
    if (old !== undefined && isSameTemplate(old.template, template)) return true;
    if (old === undefined && domain.templates.size >= this.#limits.templatesPerDomainMax) return false;
    if (old === undefined && this.#templateCount >= this.#limits.templatesTotalMax) return false;
    const fieldCount = this.#fieldCount + template.fields.length - (old?.template.fields.length ?? 0);
    if (fieldCount > this.#limits.templateFieldsTotalMax) return false;
    this.#fieldCount = fieldCount;
    if (old === undefined) this.#templateCount++;
    domain.templates.set(template.id, { template, plan: undefined, program: undefined });
    return true;
  }

  /** Forgets a template; id 2 stands for all templates, 3 for all options templates (RFC 7011 §8.1). */
  withdraw(domain: ExportDomain, id: number): void {
    for (const [templateId, { template }] of domain.templates) {
      const isMeant = id === 2 ? template.kind === 'data' : id === 3 ? template.kind === 'options' : templateId === id;
      if (!isMeant) continue;
      domain.templates.delete(templateId);
      this.#templateCount--;
      this.#fieldCount -= template.fields.length;
    }
  }

  /** The template of a data set, or undefined. */
  find(domain: ExportDomain, id: number): CachedTemplate | undefined {
    return domain.templates.get(id);
  }
}

function isSameAddress(a: AddressWords, b: AddressWords): boolean {
  return a[3] === b[3] && a[2] === b[2] && a[1] === b[1] && a[0] === b[0];
}

function keyOf(exporter: AddressWords, version: ExportVersion, domain: number): string {
  return `${exporter[0]}.${exporter[1]}.${exporter[2]}.${exporter[3]}/${version}/${domain}`;
}
