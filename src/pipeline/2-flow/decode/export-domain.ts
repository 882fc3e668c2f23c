/**
 * What is known of one exporter, version and observation domain: templates, options, sequence, counts. Templates belong
 * to the exporter's address, version, domain and template id (RFC 7011 §8, RFC 3954 §5.1); the source port is no part
 * of it, and a restart does not drop them, because exporters come back with a new port.
 */
import { type AddressWords, formatAddress } from '#base';
import type { DomainCounts, ExportVersion } from './export-types.ts';
import type { FieldPlan } from './field-plan.ts';
import { createDomainOptions } from './options.ts';
import type { RecordProgram } from './record-program.ts';
import { SequenceNumbering } from './numbering.ts';
import type { Template } from './template.ts';

export type CachedTemplate = {
  readonly template: Template;
  /** How its records become columns; made when the first record comes. */
  plan: FieldPlan | undefined;
  /** The plan for the kernel; undefined for records of variable length. */
  program: RecordProgram | undefined;
};

export class ExportDomain {
  readonly exporter: AddressWords;
  readonly version: ExportVersion;
  readonly domain: number;
  readonly templates = new Map<number, CachedTemplate>();
  readonly options = createDomainOptions();
  readonly sequence = new SequenceNumbering();
  datagrams = 0;
  records = 0;
  duplicates = 0;
  waitingSets = 0;

  constructor(exporter: AddressWords, version: ExportVersion, domain: number) {
    this.exporter = [...exporter];
    this.version = version;
    this.domain = domain;
  }

  counts(): DomainCounts {
    const { gaps, lostUnits, reordered, restarts } = this.sequence.account;
    return {
      exporter: formatAddress(Uint32Array.from(this.exporter), 0), version: this.version, domain: this.domain,
      datagrams: this.datagrams, records: this.records, sequenceGaps: gaps, lostUnits,
      unit: this.version === 5 ? 'flows' : this.version === 9 ? 'packets' : 'records',
      reordered, duplicates: this.duplicates, restarts, samplingInterval: this.options.samplingInterval,
      templates: this.templates.size, waitingSets: this.waitingSets,
    };
  }
}
