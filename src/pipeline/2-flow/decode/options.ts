/**
 * What options records tell of their exporter: sampling (RFC 5477 §8.2, RFC 3954 §8), when its clock started (160
 * systemInitTimeMilliseconds, RFC 5102 §5.9.11), names of applications (RFC 6759 §4). Bounded; the last word counts.
 */
import { limits } from '#base';
import { readFloat, readText, readUnsigned } from './field-kernels.ts';
import type { Template, TemplateField } from './template.ts';

export type DomainOptions = {
  /** When uptime was zero, Unix epoch; undefined until told. */
  systemInitMs: number | undefined;
  /** One packet of so many; 0 until told. */
  samplingInterval: number;
  /** Interval of each sampler or selector. */
  readonly samplers: Map<number, number>;
  /** Name of each application id. */
  readonly applications: Map<number | string, string>;
};

export function createDomainOptions(): DomainOptions {
  return { systemInitMs: undefined, samplingInterval: 0, samplers: new Map(), applications: new Map() };
}

/** Key of an application id: a number up to 6 bytes, else its bytes as text. */
export function readApplicationKey(bytes: Uint8Array, at: number, lengthBytes: number): number | string {
  if (lengthBytes <= 6) return readUnsigned(bytes, at, lengthBytes);
  let key = '';
  for (let i = 0; i < lengthBytes; i++) key += String.fromCharCode(bytes[at + i] as number);
  return key;
}

/** Samplers and applications that may be kept: of one domain, and still of all domains together. */
export type OptionRoom = { readonly perDomain: number; left: number };

/** Values of an options record that are listened to. */
type Heard = {
  interval: number; randomInterval: number; packets: number; space: number; size: number; population: number;
  probability: number; sampler: number | undefined; application: number | string | undefined; name: string;
};

/** Longest application id that is kept: RFC 6759 §4 has 1 + 4 + 3 bytes, vendors have been seen with more. */
const applicationIdBytesMax = 32;

/**
 * Listens to one options record.
 *
 * @param spans  [2 × fields] of the record, by `locateFields`; read only
 */
export function learnOptions(options: DomainOptions, template: Template, bytes: Uint8Array, spans: Uint32Array,
  room: OptionRoom): void {
  const heard: Heard = {
    interval: 0, randomInterval: 0, packets: 0, space: -1, size: 0, population: 0, probability: 0,
    sampler: undefined, application: undefined, name: '',
  };
  for (let i = 0; i < template.fields.length; i++) {
    const { enterprise, elementId } = template.fields[i] as TemplateField;
    const lengthBytes = spans[2 * i + 1] as number;
    if (enterprise !== 0 || lengthBytes === 0) continue;
    const at = spans[2 * i] as number;
    if (elementId === 96) heard.name = readText(bytes, at, Math.min(lengthBytes, limits.applicationNameLengthMax));
    else if (elementId === 95) {
      if (lengthBytes <= applicationIdBytesMax) heard.application = readApplicationKey(bytes, at, lengthBytes);
    } else if (elementId === 311) heard.probability = readFloat(bytes, at, lengthBytes);
    else if (elementId === 160) options.systemInitMs = readUnsigned(bytes, at, lengthBytes);
    else hearSampling(heard, elementId, readUnsigned(bytes, at, lengthBytes));
  }
  if (heard.application !== undefined && heard.name !== '') {
    setBounded(options.applications, heard.application, heard.name, room);
  }
  const interval = intervalOf(heard);
  if (interval === 0) return;
  options.samplingInterval = interval;
  if (heard.sampler !== undefined) setBounded(options.samplers, heard.sampler, interval, room);
}

function hearSampling(heard: Heard, elementId: number, value: number): void {
  if (elementId === 34) heard.interval = value;
  else if (elementId === 50) heard.randomInterval = value;
  else if (elementId === 305) heard.packets = value;
  else if (elementId === 306) heard.space = value;
  else if (elementId === 309) heard.size = value;
  else if (elementId === 310) heard.population = value;
  else if (elementId === 48 || elementId === 302) heard.sampler = value;
}

/** One packet of so many, 0 when the record does not say. */
function intervalOf(heard: Heard): number {
  if (heard.interval > 0) return heard.interval;
  if (heard.randomInterval > 0) return heard.randomInterval;
  // RFC 5477 §8.2: so many of a population; or so many packets in a row, then so many left out.
  if (heard.size > 0 && heard.population >= heard.size) return heard.population / heard.size;
  if (heard.packets > 0 && heard.space >= 0) return (heard.packets + heard.space) / heard.packets;
  return heard.probability > 0 && heard.probability <= 1 ? 1 / heard.probability : 0;
}

function setBounded<K, V>(map: Map<K, V>, key: K, value: V, room: OptionRoom): void {
  if (!map.has(key)) {
    if (map.size >= room.perDomain || room.left === 0) return;
    room.left--;
  }
  map.set(key, value);
}
