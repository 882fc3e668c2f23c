/**
 * A made exporter, the link to its collector and the collector's kernel, with the truth about every unit: for the tests
 * of the account. Only tests use this file. Messages are lost, copied, delayed, cut and dropped by the kernel; the
 * exporter changes templates and restarts. One seed makes one world.
 */
import type { Random } from '#base';
import type { ExportDatagram } from './export-types.ts';
import { datagram, type FieldSpec, ip, join, message10, message5, message9, set, template, u32, uint } from
  './message-samples.ts';

/** `after`: IPFIX as softflowd numbers it. */
export type WorldKind = 'v5' | 'v9' | 'ipfix' | 'after';

export type LinkPlan = {
  readonly loss: number;
  readonly copies: number;
  readonly cuts: number;
  readonly kernelDrops: number;
  readonly delayMsMax: number;
  readonly restarts: number;
  /** Part of the messages that announce templates. */
  readonly templates: number;
};

export type Sent = {
  readonly run: number;
  readonly units: number;
  /** Templates of its sets, with the units of each. */
  readonly sets: readonly { readonly id: number; readonly units: number }[];
  readonly defines: readonly number[];
  readonly bytes: Uint8Array;
  readonly atMs: number;
  /** Units of the last set, when the message came cut. */
  readonly cutUnits: number;
  fate: 'arrived' | 'lost' | 'dropped';
};

export type World = { readonly kind: WorldKind; readonly sent: readonly Sent[]; readonly arrivals: readonly Arrival[] };
export type Arrival = { readonly datagram: ExportDatagram; readonly message: Sent; readonly isCopy: boolean };

const startMs = Date.UTC(2026, 0, 2);
const ends = join(ip('192.0.2.1'), ip('198.51.100.2'));

export function makeWorld(random: Random, kind: WorldKind, plan: LinkPlan, messages = 72): World {
  const sent = sendAll(random, kind, plan, messages);
  return { kind, sent, arrivals: carry(random, sent, plan) };
}

function sendAll(random: Random, kind: WorldKind, plan: LinkPlan, messages: number): Sent[] {
  const restartsAt = new Set(Array.from({ length: plan.restarts }, (_, i) =>
    Math.floor((i + 1) * messages / (plan.restarts + 1)) + random.integer(0, 3)));
  const sent: Sent[] = [];
  let run = 0;
  // IPFIX tells a restart by a number that goes back: one from just before the wrap would seem to go on.
  const mayWrap = plan.restarts === 0 || kind === 'v5' || kind === 'v9';
  let number = mayWrap && random.chance(0.3) ? 0xffff_ff00 : random.integer(2_000, 100_000);
  let nowMs = startMs;
  // Some clocks begin anew while they are watched.
  let bootMs = nowMs - (random.chance(0.3) ? 2 ** 32 - 4_000 : 50_000);
  let lastId = 301;
  let ids = [300, lastId];
  for (let i = 0; i < messages; i++) {
    nowMs += random.integer(50, 400);
    if (restartsAt.has(i)) {
      run++;
      nowMs += random.integer(10_000, 30_000);
      bootMs = nowMs - 2_000;
      number = random.integer(0, 5);
    }
    if (random.chance(0.05)) {
      lastId++;
      ids = [ids[1] as number, lastId];
    }
    const isFirst = i === 0 || restartsAt.has(i);
    const message = build(random, kind, plan, { number, nowMs, bootMs, ids, isFirst, run });
    sent.push(message);
    number = (number + message.units) >>> 0;
  }
  return sent;
}

type Moment = {
  number: number; nowMs: number; bootMs: number; ids: readonly number[]; isFirst: boolean; run: number;
};

function build(random: Random, kind: WorldKind, plan: LinkPlan, moment: Moment): Sent {
  const { number, nowMs, bootMs, ids, isFirst, run } = moment;
  const header = {
    seconds: Math.floor(nowMs / 1000), uptimeMs: (nowMs - bootMs) >>> 0, sequence: number,
    domain: kind === 'v5' ? 4 : 7,
  };
  const isCut = !isFirst && random.chance(plan.cuts);
  if (kind === 'v5') {
    const records = random.integer(1, 30);
    const bytes = message5(header, Array.from({ length: records }, (_, octets) => ({
      source: '192.0.2.1', destination: '198.51.100.2', packets: 1, octets, firstMs: 0, lastMs: 0, ports: [1, 2],
      protocol: 17,
    })));
    const cutUnits = isCut ? random.integer(1, records) : 0;
    return {
      run, units: records, sets: [{ id: 0, units: records - cutUnits }], defines: [0], cutUnits, atMs: nowMs,
      bytes: bytes.subarray(0, bytes.length - 48 * cutUnits), fate: 'arrived',
    };
  }
  const defines = ids.filter(() => random.chance(isFirst ? 0.5 : plan.templates));
  const isBare = defines.length > 0 && random.chance(0.3);
  const sets = isBare ? [] : Array.from({ length: random.integer(1, 3) }, () =>
    ({ id: random.pick(ids), units: random.integer(1, 7) }));
  const records = sets.reduce((sum, { units }) => sum + units, 0);
  const definition = kind === 'v9' ? 0 : 2;
  const sequence = kind === 'after' ? (number + records) >>> 0 : number;
  const parts = [...defines.map((id) => set(definition, template(id, fieldsOf(id)))), ...sets.map(({ id, units }) =>
    set(id, ...Array.from({ length: units }, (_, octets) => join(ends, recordTail(id, octets)))))];
  const bytes = (kind === 'v9' ? message9 : message10)({ ...header, sequence }, ...parts);
  const last = isCut ? sets.pop() : undefined;
  return {
    run, units: kind === 'v9' ? 1 : records, sets, defines, cutUnits: last?.units ?? 0, atMs: nowMs,
    bytes: last === undefined ? bytes : bytes.subarray(0, -1), fate: 'arrived',
  };
}

/** Templates differ in the length of their records. */
const tailBytes = (id: number): number => 1 + id % 8;
const fieldsOf = (id: number): FieldSpec[] => [[8, 4], [12, 4], [1, tailBytes(id)], [7, 2], [11, 2]];
const recordTail = (id: number, octets: number): Uint8Array => join(uint(octets, tailBytes(id)), u32(0x0050_0050));

/** What comes of it: on the link, and by way of the kernel. */
function carry(random: Random, sent: readonly Sent[], plan: LinkPlan): Arrival[] {
  const onTheWay: { atMs: number; message: Sent; isCopy: boolean }[] = [];
  for (const message of sent) {
    const delayMs = random.integer(0, plan.delayMsMax);
    if (random.chance(plan.loss)) message.fate = 'lost';
    else onTheWay.push({ atMs: message.atMs + delayMs, message, isCopy: false });
    if (message.fate === 'arrived' && random.chance(plan.copies)) {
      onTheWay.push({ atMs: message.atMs + delayMs + random.integer(0, 200), message, isCopy: true });
    }
  }
  onTheWay.sort((a, b) => a.atMs - b.atMs);
  let kernelDrops = random.integer(0, 1000);
  const arrivals: Arrival[] = [];
  for (const { atMs, message, isCopy } of onTheWay) {
    if (!isCopy && random.chance(plan.kernelDrops)) {
      message.fate = 'dropped';
      kernelDrops++;
      continue;
    }
    if (isCopy && message.fate === 'dropped') continue;
    arrivals.push({ datagram: datagram(message.bytes, { receivedMs: atMs, kernelDrops, socket: 1 }), message, isCopy });
  }
  return arrivals;
}
