/** A strict reader of RFC 5424 messages and CEF bodies, written from the documents and not from what we send. */

export type ParsedSyslog = {
  readonly facility: number;
  readonly severity: number;
  readonly timestamp: string;
  readonly hostName: string;
  readonly appName: string;
  readonly processId: string;
  readonly messageId: string;
  readonly data: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly message: string;
};

export type ParsedCef = {
  readonly vendor: string; readonly product: string; readonly version: string; readonly eventClass: string;
  readonly name: string; readonly severity: number; readonly extension: Readonly<Record<string, string>>;
};

/** @throws Error  it is no such message, character for character */
export function parseSyslog(bytes: Uint8Array): ParsedSyslog {
  const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  const field = (lengthMax: number): string => `([\\x21-\\x7e]{1,${lengthMax}})`;
  const header = new RegExp(
    `^<(0|[1-9]\\d{0,2})>1 (\\S+) ${field(255)} ${field(48)} ${field(128)} ${field(32)} `).exec(text);
  if (header === null) throw new Error(`no header: ${text}`);
  const [whole, priority, timestamp = '', hostName = '', appName = '', processId = '', messageId = ''] = header;
  if (Number(priority) > 191) throw new Error(`priority ${priority}`);
  if (!/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,6})?(?:Z|[+-]\d{2}:\d{2})$/.test(timestamp)) {
    throw new Error(`timestamp ${timestamp}`);
  }
  let at = whole.length;
  const data: Record<string, Record<string, string>> = {};
  while (text[at] === '[') {
    const id = /^\[([^\s="\]]{1,32})/.exec(text.slice(at));
    if (id === null) throw new Error(`no id of structured data: ${text.slice(at)}`);
    at += id[0].length;
    const parameters: Record<string, string> = {};
    for (let parameter = next(text, at); parameter !== null; parameter = next(text, at)) {
      at += parameter[0].length;
      if (parameters[parameter[1] as string] !== undefined) throw new Error(`${parameter[1]} twice`);
      parameters[parameter[1] as string] = (parameter[2] as string).replace(/\\(["\\\]])/g, '$1');
    }
    if (text[at++] !== ']') throw new Error(`structured data does not end: ${text.slice(at - 1)}`);
    data[id[1] as string] = parameters;
  }
  const message = text.slice(at);
  if (message !== '' && !message.startsWith(' ')) throw new Error(`no space before the message: ${message}`);
  return {
    facility: Number(priority) >> 3, severity: Number(priority) & 7, timestamp, hostName, appName, processId, messageId,
    data, message: message.slice(1),
  };
}

/** One parameter: within the quotes `"`, `\` and `]` are escaped, always. */
function next(text: string, at: number): RegExpExecArray | null {
  return /^ ([^\s="\]]{1,32})="((?:[^"\\\]]|\\["\\\]])*)"/.exec(text.slice(at));
}

/** @throws Error  it is no CEF */
export function parseCef(text: string): ParsedCef {
  if (/[\r\n]/.test(text)) throw new Error('more than one line');
  const match = /^CEF:0\|((?:(?:[^\\|]|\\[\\|])*\|){6})(.*)$/.exec(text);
  if (match === null) throw new Error(`no CEF: ${text}`);
  const fields = [...(match[1] as string).matchAll(/((?:[^\\|]|\\[\\|])*)\|/g)]
    .map(([, field = '']) => field.replace(/\\([\\|])/g, '$1'));
  const [vendor = '', product = '', version = '', eventClass = '', name = '', severity = ''] = fields;
  if (!/^(?:\d|10)$/.test(severity)) throw new Error(`severity ${severity}`);
  const extension: Record<string, string> = {};
  let rest = match[2] as string;
  while (rest !== '') {
    const pair = /^(\w+)=((?:[^\\=]|\\[\\=rn])*?)(?= \w+=|$)/.exec(rest);
    if (pair === null) throw new Error(`no pair: ${rest}`);
    extension[pair[1] as string] = (pair[2] as string).replace(/\\([\\=])/g, '$1');
    rest = rest.slice(pair[0].length).replace(/^ /, '');
  }
  return { vendor, product, version, eventClass, name, severity: Number(severity), extension };
}
