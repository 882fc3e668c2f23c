/**
 * What a token of evidence says, in words that can be read out on the telephone: which servers, by what service, how
 * much, how often. Reads the text of the token (docs/evidence.md), so that old verdicts are told like new ones.
 */
import { formatCount } from '#base';
import type { EvidenceToken } from '#evidence';

/** Transport as people know it, by how tokens write it. */
const transports: Readonly<Record<string, string>> = { tcp: 'TCP', udp: 'UDP', icmp: 'ICMP', icmpv6: 'ICMPv6' };

/** A service and what it is for, where the letters alone say little. */
const services: Readonly<Record<string, string>> = {
  DNS: 'DNS, the directory of names', NTP: 'NTP, the time of day', TLS: 'TLS, encrypted', HTTP: 'HTTP, the web',
  QUIC: 'QUIC, encrypted', MQTT: 'MQTT, messages of devices', STUN: 'STUN, the search for a way through routers',
};

/** `servers of Amazon, by MQTT, messages of devices (TCP port 8883): 222 bytes out and 142 back, in 12 minutes`. */
export function describeToken({ text, buckets }: Pick<EvidenceToken, 'text' | 'buckets'>, bucketMs: number): string {
  const parts = /^(\S+)\/(\S+) ("(?:[^"\\]|\\.)*"|\S+)(?: (\S+))?$/.exec(text);
  const often = describeBuckets(buckets, bucketMs);
  if (parts === null) return `${text}, ${often}`;
  const [, transport = '', port = '', peer = '', size] = parts;
  const how = `${describePeer(peer)} (${describePort(transport, port)})`;
  return size === undefined ? `${how}, ${often}` : `${how}: ${describeSize(size)}, ${often}`;
}

function describePort(transport: string, port: string): string {
  const name = transports[transport] ?? `protocol ${transport.replace(/^ip/, '')}`;
  if (port === 'dynamic') return `${name}, a changing port`;
  if (transport.startsWith('icmp')) return `${name} type ${port}`;
  return /^\d+$/.test(port) && transports[transport] !== undefined ? `${name} port ${port}` : name;
}

/** Addresses of a network, or the owner and the service of a layer-7 name such as `MQTT.Amazon`. */
function describePeer(peer: string): string {
  if (peer === 'private') return 'addresses inside a network';
  if (peer === '-') return 'servers without a name';
  if (/^[\da-f.:]+\/\d+$/i.test(peer)) return `servers in the network ${peer}`;
  const name = peer.startsWith('"') ? JSON.parse(peer) as string : peer;
  const [service = '', ...owner] = name.split('.');
  const by = services[service] ?? service;
  const isUnknown = service === '' || service === 'Unknown';
  if (owner.length === 0) return isUnknown ? 'servers that nobody knows' : `servers, by ${by}`;
  const who = `servers of ${owner.join('.').replaceAll('_', ' ')}`;
  return isUnknown ? who : `${who}, by ${by}`;
}

function describeSize(size: string): string {
  if (size === 'accepted') return 'flows as its classifier knows them';
  const exact = /^(\d+)\/(\d+)$/.exec(size);
  if (exact !== null) return `${formatBytesOf(Number(exact[1]))} out and ${formatCount(Number(exact[2]))} back`;
  const quarters = /^2\^(\d+\.\d+)(?:\/2\^(\d+\.\d+))?$/.exec(size);
  if (quarters !== null) {
    const back = quarters[2] === undefined ? '' : ` and ${formatCount(Math.round(2 ** Number(quarters[2])))} back`;
    return `about ${formatBytesOf(Math.round(2 ** Number(quarters[1])))} out${back}`;
  }
  const power = /^2\^(\d+)$/.exec(size);
  if (power === null) return size;
  const least = 2 ** Number(power[1]);
  return least === 1 ? 'hardly a byte out' : `${formatCount(least)} to ${formatBytesOf(2 * least - 1)} out`;
}

function formatBytesOf(bytes: number): string {
  return bytes === 1 ? '1 byte' : `${formatCount(bytes)} bytes`;
}

/** In how much of the window it was seen. */
function describeBuckets(buckets: number, bucketMs: number): string {
  if (bucketMs === 60_000) return `in ${formatCount(buckets)} ${buckets === 1 ? 'minute' : 'minutes'}`;
  return buckets === 1 ? 'once' : `in ${formatCount(buckets)} spans of ${formatCount(bucketMs / 1_000)} s`;
}
