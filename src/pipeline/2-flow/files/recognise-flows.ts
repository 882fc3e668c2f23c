/** Which kind of flow-record file bytes are, from the bytes alone: the name of a file proves nothing. */
import { missingColumns, parseObject } from './own-text.ts';
import { essentialColumns } from './cells.ts';
import { chooseDelimiter, normaliseNames } from './import-nprobe.ts';
import { splitFields } from './text-records.ts';

export type FlowFileKind = 'parquet' | 'csv' | 'jsonl' | 'nprobe' | 'zeek' | 'zeek-json' | 'iot-denat';

/** In words, for messages. */
export const flowFileKindTexts: Readonly<Record<FlowFileKind, string>> = {
  parquet: 'Parquet', csv: 'CSV of natlens', jsonl: 'JSON lines of natlens', nprobe: 'nProbe text dump',
  zeek: 'Zeek conn.log', 'zeek-json': 'Zeek conn.log in JSON', 'iot-denat': 'IoT-deNAT table',
};

/** Names of which a dump of nProbe has at least `nprobeNamesMin`. */
const nprobeNames: ReadonlySet<string> = new Set([
  'IPV4_SRC_ADDR', 'IPV4_DST_ADDR', 'IPV6_SRC_ADDR', 'IPV6_DST_ADDR', 'L4_SRC_PORT', 'L4_DST_PORT', 'PROTOCOL',
  'IN_BYTES', 'OUT_BYTES', 'IN_PKTS', 'OUT_PKTS', 'SRC_TOS', 'DST_TOS', 'FIRST_SWITCHED', 'LAST_SWITCHED',
  'FLOW_START_MILLISECONDS', 'FLOW_END_MILLISECONDS', 'FLOW_START_SEC', 'FLOW_END_SEC', 'TCP_FLAGS', 'L7_PROTO_NAME',
]);
const nprobeNamesMin = 3;

/** `PAR1` (Parquet's file format, "File layout"). */
const parquetMagic = [0x50, 0x41, 0x52, 0x31];

/** Essential columns of ours that a header must have to be taken for one of ours, which may then lack others. */
const ownNamesMin = 3;

/**
 * Kind of a file of flow records, or undefined when it is none.
 *
 * @param head  its first bytes, decompressed; read only. 4 KiB decide; a cut line at the end does no harm
 */
export function recogniseFlows(head: Uint8Array): FlowFileKind | undefined {
  if (parquetMagic.every((byte, i) => head[i] === byte)) return 'parquet';
  const text = decodeText(head);
  if (text === undefined) return undefined;
  const line = text.split(/\r?\n/).find((candidate) => candidate !== '') ?? '';
  if (/^#(separator|fields|path)\b/.test(line)) return 'zeek';
  return line.startsWith('{') ? recogniseJson(line) : recogniseHeader(line);
}

/** The bytes as text, or undefined when they hold what no text does. */
function decodeText(head: Uint8Array): string | undefined {
  for (const byte of head) {
    if (byte < 32 && byte !== 9 && byte !== 10 && byte !== 13) return undefined;
  }
  return new TextDecoder('utf-8').decode(head);
}

function recogniseJson(line: string): FlowFileKind | undefined {
  // A first line longer than the head is judged by the names in what there is of it.
  const names = new Set(Object.keys(parseObject(line) ?? {}));
  const has = (name: string): boolean => names.has(name) || (names.size === 0 && line.includes(`"${name}":`));
  if (has('flowStartMilliseconds') && has('protocolIdentifier')) return 'jsonl';
  return has('id.orig_h') && has('id.resp_h') ? 'zeek-json' : undefined;
}

function recogniseHeader(line: string): FlowFileKind | undefined {
  const own = splitFields(line, ',', true) ?? [];
  if (essentialColumns.size - missingColumns(essentialColumns, own).length >= ownNamesMin) return 'csv';
  const delimiter = chooseDelimiter(line);
  const names = normaliseNames(line.split(delimiter));
  if (names.filter((name) => nprobeNames.has(name)).length < nprobeNamesMin) return undefined;
  return names.includes('DEVICE_MODEL') ? 'iot-denat' : 'nprobe';
}
