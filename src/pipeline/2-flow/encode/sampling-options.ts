/**
 * Sampling, told to collectors by an options template and its record, so that they can renormalise.
 * IPFIX: the Selector Report Interpretation of RFC 5476 §6.5.2.2 with the elements of RFC 5477 §8.2, its scope the
 * selector. NetFlow v9: RFC 3954 §6.1 with SAMPLING_INTERVAL and SAMPLING_ALGORITHM of its §8, its scope the system.
 */
import type { Sampling } from '../meter/packet-sampler.ts';
import type { ExportVersion } from './export-fields.ts';

/** Field: element or scope type, length, value. */
type OptionField = readonly [id: number, lengthBytes: 1 | 2 | 4, value: number];

export type SamplingOptions = {
  readonly version: ExportVersion;
  readonly templateId: number;
  readonly scope: readonly OptionField[];
  readonly fields: readonly OptionField[];
};

/** Set ids of options templates: RFC 3954 §6.1, RFC 7011 §3.3.2. */
const optionsSetId = { 9: 1, 10: 3 } as const;
const setHeaderBytes = 4;
/** The one selector of this exporter. */
const selectorId = 1;
/** Templates and data records that `putSampling` writes. */
export const samplingTemplates = 1;
export const samplingRecords = 1;

/** @param templateId  one that no other template has */
export function createSamplingOptions(
  version: ExportVersion, templateId: number, { way, interval }: Sampling,
): SamplingOptions {
  if (version === 9) return {
    // Scope type 1: the system (RFC 3954 §6.1). Algorithm 1: deterministic, 2: random.
    version, templateId, scope: [[1, 4, 0]], fields: [[34, 4, interval], [35, 1, way === 'random' ? 2 : 1]],
  };
  return {
    version, templateId, scope: [[302, 2, selectorId]],
    fields: way === 'random'
      // 3: random n-out-of-N; samplingSize out of samplingPopulation.
      ? [[304, 2, 3], [309, 4, 1], [310, 4, interval]]
      // 1: systematic count-based; samplingPacketInterval packets in a row, samplingPacketSpace left out.
      : [[304, 2, 1], [305, 4, 1], [306, 4, interval - 1]],
  };
}

/**
 * Writes the options template and its record as two sets.
 *
 * @param view  overwritten from `at` on
 * @returns     the offset behind them
 */
export function putSampling(view: DataView, at: number, options: SamplingOptions): number {
  return putRecord(view, putTemplate(view, at, options), options);
}

function putTemplate(view: DataView, at: number, { version, templateId, scope, fields }: SamplingOptions): number {
  let end = at + setHeaderBytes;
  view.setUint16(at, optionsSetId[version]);
  view.setUint16(end, templateId);
  // v9 has bytes of scope and of option fields, IPFIX counts of all fields and of scope fields (RFC 7011 §3.4.2.2).
  view.setUint16(end + 2, version === 9 ? scope.length * 4 : scope.length + fields.length);
  view.setUint16(end + 4, version === 9 ? fields.length * 4 : scope.length);
  end += 6;
  for (const [id, lengthBytes] of [...scope, ...fields]) {
    view.setUint16(end, id);
    view.setUint16(end + 2, lengthBytes);
    end += 4;
  }
  return endSet(view, at, end);
}

function putRecord(view: DataView, at: number, { templateId, scope, fields }: SamplingOptions): number {
  let end = at + setHeaderBytes;
  view.setUint16(at, templateId);
  for (const [, lengthBytes, value] of [...scope, ...fields]) {
    if (lengthBytes === 1) view.setUint8(end, value);
    else if (lengthBytes === 2) view.setUint16(end, value);
    else view.setUint32(end, value);
    end += lengthBytes;
  }
  return endSet(view, at, end);
}

/** Pads a set to four bytes and writes its length. */
function endSet(view: DataView, at: number, contentEnd: number): number {
  let end = contentEnd;
  while ((end - at) % 4 !== 0) view.setUint8(end++, 0);
  view.setUint16(at + 2, end - at);
  return end;
}
