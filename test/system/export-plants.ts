/**
 * Faults for the export decoder, one expression each, that the fuzzer of exports must find: in accounting, in bounds,
 * in limits, in progress and in memory. A plant whose expression is gone from the source fails its test: then choose
 * another that does the same harm.
 */
export type ExportPlant = {
  readonly fault: string;
  /** In `src/pipeline/2-flow/decode`. */
  readonly file: string;
  readonly from: string;
  readonly to: string;
  /** What the finding must say, lest another be taken for it. */
  readonly finds: RegExp;
};

export const exportPlants: readonly ExportPlant[] = [
  {
    fault: 'padding of a template set is rejected', file: 'export-walker.ts',
    from: "if (record.what === 'padding') return;",
    to: "if (record.what === 'padding') return this.#reject('bad-template', place.end - at);",
    finds: /differs in (?:bytesByFate|rejected)/,
  },
  {
    fault: 'a cut record is rejected without its first byte', file: 'export-walker.ts',
    from: "this.#reject('cut-record', end - result.end)", to: "this.#reject('cut-record', end - result.end - 1)",
    finds: /differs in bytesByFate/,
  },
  {
    fault: 'a set that ends one byte behind its message is read', file: 'export-walker.ts',
    from: 'if (setEnd > bytes.length) return', to: 'if (setEnd > bytes.length + 1) return',
    finds: /outside of the messages|differs in/,
  },
  {
    fault: 'a set of no length is walked for ever', file: 'export-walker.ts',
    from: "if (setEnd < at + setHeaderBytes) return this.#rejectRest('bad-set-length', bytes.length - at);", to: '',
    finds: /one message has taken more than|the heap passed/,
  },
  {
    fault: 'an exporter above the limit is not turned away', file: 'export-walker.ts',
    from: "if (domain === undefined) return this.#reject('exporter-limit', bytes.length);", to: '',
    finds: /decode threw: TypeError/,
  },
  {
    fault: 'options records are counted as others', file: 'export-walker.ts',
    from: 'if (isOptions) this.#optionsRecords += records;', to: 'if (isOptions) this.#optionsRecords += 0;',
    finds: /differs in optionsRecords/,
  },
  {
    fault: 'every datagram is kept', file: 'export-walker.ts',
    from: 'let units = 1;\n', to: 'let units = 1;\n    kept.push(bytes.slice());\n',
    finds: /bytes of buffers are held|the heap passed/,
  },
  {
    fault: 'a field of variable length may end one byte behind its set', file: 'template.ts',
    from: 'if (at + lengthBytes > end) return -1;', to: 'if (at + lengthBytes > end + 1) return -1;',
    finds: /outside of the messages|differs in/,
  },
  {
    fault: 'a cut record of v5 is read', file: 'export-walker.ts',
    from: 'Math.floor((bytes.length - headerBytes) / version5RecordBytes)',
    to: 'Math.ceil((bytes.length - headerBytes) / version5RecordBytes)', finds: /changed a final fate|differs in/,
  },
  {
    fault: 'fields lie one byte behind where they are', file: 'field-plan.ts',
    from: 'offset += field.lengthBytes;', to: 'offset += field.lengthBytes + 1;', finds: /rows depend on/,
  },
  {
    fault: 'options templates may have more scopes than fields', file: 'template.ts',
    from: 'if (fieldCount === 0 || scopeCount > fieldCount)', to: 'if (fieldCount === 0)', finds: /differs in/,
  },
  {
    fault: 'waiting sets have no limit', file: 'waiting-sets.ts',
    from: '(this.#count + 1) * entryBytes > this.#bytesMax', to: '(this.#count + 1) * entryBytes < 0',
    finds: /bytes wait|differs in/,
  },
  {
    fault: 'a replayed set still counts as waiting', file: 'waiting-sets.ts',
    from: 'set.domain.waitingSets--;', to: '', finds: /waiting sets of the domains/,
  },
  {
    fault: 'templates of a domain have no limit', file: 'template-cache.ts',
    from: 'domain.templates.size >= this.#limits.templatesPerDomainMax', to: 'domain.templates.size < 0',
    finds: /templates, \d+ are allowed|differs in/,
  },
  {
    fault: 'fields of a withdrawn template stay counted', file: 'template-cache.ts',
    from: 'this.#fieldCount -= template.fields.length;', to: '', finds: /differs in/,
  },
  {
    fault: 'templates belong to an address and domain, whatever the version', file: 'template-cache.ts',
    from: '/${version}/${domain}`', to: '/${domain}`', finds: /differs in/,
  },
  {
    fault: 'a late message fills more of a hole than there is', file: 'number-run.ts',
    from: 'const inside = Math.min(offset + hole.units, units)', to: 'const inside = units',
    finds: /an account has/,
  },
];
