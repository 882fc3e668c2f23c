/**
 * Kinds of values in the config that name places: addresses, prefixes, listeners, servers, files, mailboxes. Secrets
 * are never part of a value: a login within a server's address is refused, credentials come from files.
 */
import { isIP } from 'node:net';
import { formatAddress, parseAddress, parsePrefix, type AddressWords, type Prefix } from '#base';
import { choiceOf, showValue, text, ValueFault, writeText, type ValueKind } from './config-kinds.ts';

/** Text of an address. */
export function writeAddress(words: AddressWords): string {
  return formatAddress(Uint32Array.from(words), 0);
}

/** `192.0.2.0/24`, `2001:db8::/32`; a host without its length. */
export function writePrefix({ words, lengthBits }: Prefix): string {
  const host = writeAddress(words);
  if (lengthBits === 128) return host;
  return `${host}/${host.includes(':') ? lengthBits : lengthBits - 96}`;
}

export const address: ValueKind<AddressWords> = {
  name: 'address', bounds: '',
  read: (value) => {
    const words = typeof value === 'string' ? parseAddress(value) : undefined;
    return words ?? new ValueFault(
      `is an address such as "192.0.2.1" or "2001:db8::1", not ${showValue(value)}`);
  },
  write: (words) => writeText(writeAddress(words)),
};

/** An address as text, in the one way that natlens writes it. */
export const addressText: ValueKind<string> = {
  name: 'address', bounds: '',
  read: (value) => {
    const words = address.read(value);
    return words instanceof ValueFault ? words : writeAddress(words);
  },
  write: writeText,
};

export const prefix: ValueKind<Prefix> = {
  name: 'prefix', bounds: '',
  read: (value) => {
    const read = typeof value === 'string' ? parsePrefix(value) : undefined;
    if (read === undefined) {
      return new ValueFault(
        `is an address or a prefix such as "192.0.2.0/24" or "2001:db8::/32", not ${showValue(value)}`);
    }
    const words = maskWords(read.words, read.lengthBits);
    if (words.every((word, i) => word === read.words[i])) return read;
    return new ValueFault(`is a prefix, and ${showValue(value)} has bits beyond its length; the prefix is ` +
      writeText(writePrefix({ words, lengthBits: read.lengthBits })));
  },
  write: (value) => writeText(writePrefix(value)),
};

/** The words with all bits beyond a length zero. */
export function maskWords(words: AddressWords, lengthBits: number): AddressWords {
  return words.map((word, i) => {
    const bits = Math.min(32, Math.max(0, lengthBits - 32 * i));
    return bits === 0 ? 0 : (word & (0xffffffff << (32 - bits))) >>> 0;
  }) as unknown as AddressWords;
}

type Place = { readonly scheme: string; readonly host: string; readonly port: number | undefined };

/** Scheme, host and port of `tls://host:port`, nothing else; the host without brackets. */
function parsePlace(written: unknown): Place | undefined {
  if (typeof written !== 'string') return undefined;
  const [, scheme = '', bracketed, plain, portText] =
    /^([a-z]+):\/\/(?:\[([0-9a-fA-F:.]+)\]|([^\s:/@?#[\]]+))(?::(\d{1,5}))?$/.exec(written) ?? [];
  const host = bracketed ?? plain;
  const port = portText === undefined ? undefined : Number(portText);
  if (host === undefined || (port !== undefined && port > 65_535)) return undefined;
  if (bracketed !== undefined ? isIP(bracketed) !== 6 : isIP(host) === 0 && !isHostName(host)) return undefined;
  return { scheme, host, port };
}

/** A name of the DNS (RFC 1123 §2.1); one that looks like an IPv4 address is none. */
function isHostName(host: string): boolean {
  return host.length <= 253 && !/^[\d.]+$/.test(host) &&
    host.split('.').every((label) => /^[a-zA-Z0-9_](?:[a-zA-Z0-9_-]{0,61}[a-zA-Z0-9])?$/.test(label));
}

/** `host:port`, an IPv6 address in brackets. */
export function writeHostPort(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

type Listener<T extends string> = { readonly transport: T; readonly address: string; readonly port: number };

/** Where to listen. @param transports  that may be named; @param examples  "one or another", for sentences */
export function listenAddress<const T extends string>(transports: readonly T[], examples: string):
  ValueKind<Listener<T>> {
  return {
    name: 'listener', bounds: '',
    read: (value) => {
      const { scheme = '', host = '', port } = parsePlace(value) ?? {};
      const words = parseAddress(host);
      const transport = transports.find((one) => one === scheme);
      return transport !== undefined && words !== undefined && port !== undefined
        ? { transport, address: writeAddress(words), port }
        : new ValueFault(`is transport, address and port such as ${examples}, not ${showValue(value)}`);
    },
    write: (value) => writeText(`${value.transport}://${writeHostPort(value.address, value.port)}`),
  };
}

export type Endpoint = { readonly address: string; readonly port: number };

/** Where something of ours can be asked. */
export const endpoint: ValueKind<Endpoint> = {
  name: 'address and port', bounds: '',
  read: (value) => {
    const place = typeof value === 'string' ? parsePlace(`http://${value}`) : undefined;
    const words = parseAddress(place?.host ?? '');
    return place?.port !== undefined && words !== undefined ? { address: writeAddress(words), port: place.port }
      : new ValueFault(`is an address and a port such as "127.0.0.1:9464", not ${showValue(value)}`);
  },
  write: (value) => writeText(writeHostPort(value.address, value.port)),
};

export type SyslogServer =
  { readonly transport: 'udp' | 'tcp' | 'tls'; readonly address: string; readonly port: number };

/** RFC 5426 §3.3, RFC 6587 (no port of its own; 601 is IANA's), RFC 5425 §4.1. */
const syslogPorts = { udp: 514, tcp: 601, tls: 6_514 } as const;

export const syslogServer: ValueKind<SyslogServer> = {
  name: 'syslog server', bounds: 'udp, tcp or tls',
  read: (value) => {
    const { scheme = '', host = '', port } = parsePlace(value) ?? {};
    if (scheme === 'udp' || scheme === 'tcp' || scheme === 'tls') {
      return { transport: scheme, address: host, port: port ?? syslogPorts[scheme] };
    }
    return new ValueFault(`is a server such as "tls://log.example.net:6514" (udp, tcp or tls), not ${
      showValue(value)}`);
  },
  write: ({ transport, address: host, port }) => writeText(`${transport}://${writeHostPort(host, port)}`),
};

/** Ports of submission with STARTTLS (RFC 6409 §3.1) and with TLS from the start (RFC 8314 §3.3). */
const mailPorts: Readonly<Record<string, number>> = { smtp: 587, smtps: 465 };

export const mailServer: ValueKind<string> = {
  name: 'mail server', bounds: 'smtp or smtps',
  read: (value) => {
    if (typeof value === 'string' && /^smtps?:\/\/[^/]*@/.test(value)) {
      return new ValueFault('must not hold a login: put user:password into a file and name it as credentials_file');
    }
    const { scheme = '', host = '', port } = parsePlace(value) ?? {};
    const byDefault = mailPorts[scheme];
    return byDefault === undefined
      ? new ValueFault(`is a server such as "smtps://mail.example.net:465" or "smtp://mail.example.net:587", not ${
        showValue(value)}`)
      : `${scheme}://${writeHostPort(host, port ?? byDefault)}`;
  },
  write: writeText,
};

/** A page or a receiver on the web; without a login within it. */
export function webUrl(example: string): ValueKind<string> {
  return {
    name: 'URL', bounds: 'https or http',
    read: (value) => {
      const isText = typeof value === 'string' && value.length <= 2_048 && /^https?:\/\/[\x21-\x7e]+$/.test(value);
      const url = isText && URL.canParse(value) ? new URL(value) : undefined;
      if (url === undefined) return new ValueFault(`is a URL such as "${example}", not ${showValue(value)}`);
      return url.username === '' && url.password === ''
        ? value as string : new ValueFault('must not hold a login: user and password do not belong into a URL');
    },
    write: writeText,
  };
}

/** Local part and domain without quotes, comments and lists (RFC 5322 §3.4.1 allows more than anybody has). */
const plainMailbox = String.raw`[^\s@<>"(),:;[\]\\]{1,64}@[^\s@<>"(),:;[\]\\]{1,255}`;

export const mailAddress: ValueKind<string> = text({
  name: 'mail address', expected: 'a mail address such as "customer@example.net"', 
  pattern: new RegExp(`^${plainMailbox}$`),
});

/** An address with or without a name before it. */
export const mailbox: ValueKind<string> = text({
  name: 'mailbox', expected: 'a mail address, or a name with one: "Example Net <security@example.net>"',
  pattern: new RegExp(`^(?:${plainMailbox}|[^<>@",;:\\\\]{1,120} <${plainMailbox}>)$`),
});

/** A path; relative ones are taken from the folder of the config. */
export function path(name: 'file' | 'folder'): ValueKind<string> {
  return text({ name, expected: `the path of a ${name}`, lengthMax: 4_096 });
}

/** A device model as classifiers name it. */
export const deviceModel: ValueKind<string> = text({
  name: 'device model', expected: 'a device model such as "webcam.D_Link.DCS_933L", without blanks', pattern: /^\S+$/,
});

export const languageTag: ValueKind<string> = text({
  name: 'language', expected: 'a language such as "en", "de" or "es"', pattern: /^[a-z]{2,3}(?:-[A-Za-z0-9]{2,8})*$/,
  lengthMax: 35,
});

/** A zone of the IANA database that this Node knows. */
export const timeZone: ValueKind<string> = {
  ...text({ name: 'time zone', expected: 'a time zone such as "Europe/Berlin" or "UTC"', lengthMax: 64 }),
  read: (value) => typeof value === 'string' && isTimeZone(value)
    ? value : new ValueFault(`is a time zone such as "Europe/Berlin" or "UTC", not ${showValue(value)}`),
};

function isTimeZone(name: string): boolean {
  try {
    // Throws for names that it does not know.
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}

export const domainName: ValueKind<string> = {
  ...text({ name: 'domain', expected: 'a domain such as "example.net"' }),
  read: (value) => typeof value === 'string' && isHostName(value)
    ? value : new ValueFault(`is a domain such as "example.net", not ${showValue(value)}`),
};

/** Customary names of the facilities (RFC 5424 §6.2.1, table 1), by their number. */
export const facilityNames: readonly string[] = [
  'kern', 'user', 'mail', 'daemon', 'auth', 'syslog', 'lpr', 'news', 'uucp', 'cron', 'authpriv', 'ftp', 'ntp', 'audit',
  'alert', 'clock', 'local0', 'local1', 'local2', 'local3', 'local4', 'local5', 'local6', 'local7',
];

export const facility: ValueKind<number> = choiceOf(new Map(facilityNames.map((name, number) => [name, number])));
