/**
 * What is known of one exporter, version and observation domain: templates, options, sequence, counts. Templates belong
 * to the exporter's address, version, domain and template id (RFC 7011 §8, RFC 3954 §5.1); the source port is no part
 * of it, and a restart does not drop them, because exporters come back with a new port.
 */
import { type AddressWords, formatAddress, limits } from '#base';
import type {
  DomainAccount, DomainCounts, DomainUnit, ExportProblemCode, ExportVersion, WaitingTemplate,
} from './export-types.ts';
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
  /** Rows that came of its records. */
  flows = 0;
  duplicates = 0;
  waitingSets = 0;
  /** Arrival and time of sending of the last datagram; 0 when not known. */
  lastReceivedMs = 0;
  lastExportMs = 0;
  /** The socket by which the last datagram came that was not late, and its drops then; -1: not known. */
  socket = -1;
  kernelDrops = -1;

  constructor(exporter: AddressWords, version: ExportVersion, domain: number) {
    this.exporter = [...exporter];
    this.version = version;
    this.domain = domain;
  }

  get unit(): DomainUnit {
    return this.version === 5 ? 'flows' : this.version === 9 ? 'packets' : 'records';
  }

  /** By how many units the drops of a socket since the last datagram explain a hole in the numbers. */
  explainDrops(socket: number, kernelDrops: number): number {
    if (this.kernelDrops < 0 || kernelDrops <= this.kernelDrops || socket !== this.socket) return 0;
    // How many flows or records are in a datagram that did not come is not known: the hole is all there is to say.
    return this.version === 9 ? kernelDrops - this.kernelDrops : Number.POSITIVE_INFINITY;
  }

  /** @param waitingFor  what waits, from the waiting sets */
  counts(waitingFor: readonly WaitingTemplate[]): DomainCounts {
    const { gaps, lostUnits, reordered, restarts } = this.sequence.account;
    return {
      exporter: formatAddress(Uint32Array.from(this.exporter), 0), version: this.version, domain: this.domain,
      datagrams: this.datagrams, records: this.records, sequenceGaps: gaps, lostUnits, unit: this.unit,
      reordered, duplicates: this.duplicates, restarts, samplingInterval: this.options.samplingInterval,
      templates: this.templates.size, waitingSets: this.waitingSets, account: this.#account(waitingFor),
    };
  }

  #account(waitingFor: readonly WaitingTemplate[]): DomainAccount {
    const { parts, wrapped } = this.sequence.account;
    const { sent, decoded, waiting, lostInKernel, lostOnTheWay, lostWhileStopped } = parts;
    const undecodable: Partial<Record<ExportProblemCode, number>> = {};
    let limited = 0;
    for (const [fate, units] of parts.byFate) {
      if (fate === 'limited') limited = units;
      else if (units > 0) undecodable[fate] = units;
    }
    const skewMs = this.lastReceivedMs > 0 ? this.lastExportMs - this.lastReceivedMs : undefined;
    return {
      unit: this.unit, sent, decoded, waiting, lostInKernel, lostOnTheWay, lostWhileStopped, limited, undecodable,
      waitingFor, lastReceivedMs: this.lastReceivedMs, exportClockSkewMs: skewMs,
      clockWarnings: { skewed: Math.abs(skewMs ?? 0) > limits.exportClockSkewMsMax, wrapped }, flows: this.flows,
    };
  }
}
