/**
 * An action as a syslog message: RFC 5424 with structured data, and a body in ArcSight's Common Event Format. Nothing
 * that comes from outside can end a field, a line or the message.
 */
import { limits } from '#base';
import type { Rung } from '../action.ts';
import type { ReceiverView } from '../webhook/receiver-view.ts';

/** Severities of RFC 5424 §6.2.1, and those of CEF from 0 to 10. */
const severities: Readonly<Record<Rung, { readonly syslog: number; readonly cef: number }>> = {
  observe: { syslog: 6, cef: 2 },
  verify: { syslog: 6, cef: 3 },
  notify: { syslog: 5, cef: 5 },
  remind: { syslog: 5, cef: 6 },
  mitigate: { syslog: 4, cef: 8 },
};
/** The number that RFC 5612 keeps for documents: natlens has none of its own. */
const structuredDataId = 'natlens@32473';
/** Version of the meaning of the fields below. */
const eventVersion = '1';
/** Bytes of one value; the longest real one is a classifier's digest of 64. The structured data always has room. */
const valueBytesMax = 128;

export type SyslogHeader = {
  /** 0..23. */
  readonly facility: number;
  readonly timeMs: number;
  readonly hostName: string;
};

/**
 * The bytes of the message, at most `syslogMessageBytesMax`: fields of the body for which there is no room are left
 * out.
 */
export function formatSyslog(view: ReceiverView, { facility, timeMs, hostName }: SyslogHeader): Buffer {
  const priority = facility * 8 + severities[view.rung].syslog;
  const header = [
    `<${priority}>1`, new Date(timeMs).toISOString(), headerName(hostName, 255), 'natlens', '-', view.rung,
  ].join(' ');
  const before = `${header} ${formatStructuredData(view)} `;
  return Buffer.from(before + formatCef(view, limits.syslogMessageBytesMax - Buffer.byteLength(before)));
}

/** PRINTUSASCII of a header field; `-` where nothing is left. */
function headerName(text: string, lengthMax: number): string {
  const name = text.replace(/[^\x21-\x7e]/g, '').slice(0, lengthMax);
  return name === '' ? '-' : name;
}

/** A value in one line, of bounded length. */
function bounded(text: string): string {
  const line = text.toWellFormed().replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ');
  return cutAtCharacter(Buffer.from(line), valueBytesMax).toString();
}

function formatStructuredData(view: ReceiverView): string {
  const parameters: readonly (readonly [string, string])[] = [
    ['id', view.id], ['home', view.home], ['deviceModel', view.deviceModel], ['episode', String(view.episode)],
    ['step', String(view.step)], ['reasons', view.reasons.join(',')], ['state', view.verdict.state],
    ...(view.verdict.group === undefined ? [] : [['group', view.verdict.group.join(',')] as const]),
  ];
  // RFC 5424 §6.3.3: these three characters and no others.
  const texts = parameters.map(([name, value]) => `${name}="${bounded(value).replace(/["\\\]]/g, '\\$&')}"`);
  return `[${structuredDataId} ${texts.join(' ')}]`;
}

function formatCef(view: ReceiverView, bytesMax: number): string {
  const { verdict, evidence, block } = view;
  const header = [
    'CEF:0', 'natlens', 'natlens detector', eventVersion, view.rung,
    verdict.group === undefined ? `${view.deviceModel} ${verdict.state}`
      : `one of ${verdict.group.join(', ')} ${verdict.state}`,
    String(severities[view.rung].cef),
  ].map((text) => bounded(text).replace(/[\\|]/g, '\\$&')).join('|');
  const extension: readonly (readonly [string, string | number | undefined])[] = [
    ['externalId', view.id],
    ['rt', view.plannedMs],
    ['act', view.rung],
    ['reason', view.reasons.join(',')],
    ['cs1Label', 'home'], ['cs1', view.home],
    ['cs2Label', 'deviceModel'], ['cs2', view.deviceModel],
    ['cs3Label', 'classifier'], ['cs3', verdict.classifier],
    ...(verdict.group === undefined ? [] : [['cs5Label', 'group'], ['cs5', verdict.group.join(',')]] as const),
    ['cn1Label', 'episode'], ['cn1', view.episode],
    ['cnt', evidence?.signs],
    ['start', verdict.firstFlowMs],
    ['end', verdict.supportedMs],
    ['proto', block?.protocol],
    // A prefix is no address, so it goes where texts go.
    ...(block?.destination === undefined ? [] : block.destination.includes('/')
      ? [['cs4Label', 'destination'], ['cs4', block.destination]] as const : [['dst', block.destination]] as const),
    ['dpt', block?.port],
  ];
  let text = `${header}|`;
  let separator = '';
  for (const [key, value] of extension) {
    if (value === undefined) continue;
    const pair = `${separator}${key}=${bounded(String(value)).replace(/[\\=]/g, '\\$&')}`;
    if (Buffer.byteLength(text) + Buffer.byteLength(pair) > bytesMax) continue;
    text += pair;
    separator = ' ';
  }
  return text;
}

/** The first bytes, without a piece of a character of UTF-8 at the end. */
export function cutAtCharacter(bytes: Buffer, lengthMax: number): Buffer {
  if (bytes.length <= lengthMax) return bytes;
  let end = lengthMax;
  while (end > 0 && ((bytes[end] as number) & 0xc0) === 0x80) end--;
  return bytes.subarray(0, end);
}
