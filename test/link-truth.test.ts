/**
 * The truth that the collector's accounts are held against (`test/support/link-truth.ts`) changes by what happened and
 * by nothing else: one datagram lost, one that came twice, one late, a restart, a stop, a template that never came.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildUdp, encodeCapture } from '#sim';
import {
  message10, message5, message9, rfc7011Fields, rfc7011Records, sampleSeconds, set, template,
} from '../src/pipeline/2-flow/decode/message-samples.ts';
import { concat } from './support/export-mutator.ts';
import {
  accountLink, readLinkCapture, type DomainTruth, type LinkDatagram, type Silence,
} from './support/link-truth.ts';

const port = 2055;
const mac = (last: number): Uint8Array => Uint8Array.of(2, 0, 0, 0, 0, last);

/** A capture as tcpdump writes it, a millisecond between two frames. */
function capture(datagrams: readonly LinkDatagram[]): Uint8Array {
  return concat(...encodeCapture(datagrams.map(({ exporter, sourcePort, timeMs, bytes }) => ({
    timeMicroseconds: timeMs * 1000,
    frame: buildUdp({
      sourceMac: mac(1), destinationMac: mac(2), source: Uint8Array.from(exporter.split('.').map(Number)),
      destination: Uint8Array.of(198, 51, 100, 1), hops: 64, classOfService: 0, identification: 7,
      isUnfragmentable: true, isPadded: false,
    }, { source: sourcePort, destination: port }, bytes),
  })), { kind: 'pcap' }));
}

const startMs = sampleSeconds * 1000;
const sentOf = (messages: readonly Uint8Array[], sourcePort = 40_000): LinkDatagram[] =>
  messages.map((bytes, i) => ({ exporter: '192.0.2.1', sourcePort, timeMs: startMs + i * 100, bytes }));

const data = (records: number): Uint8Array =>
  set(256, ...Array.from({ length: records }, () => rfc7011Records.subarray(0, 20)));
const flow5 = { source: '192.0.2.1', destination: '192.0.2.2', packets: 1, octets: 2, firstMs: 3, lastMs: 4,
  ports: [5, 6], protocol: 1 } as const;
const layout = template(256, rfc7011Fields);

/** Messages of 1, 2, 3, … records, numbered on from a number. */
function messagesOf(version: number, count: number, more: { first?: number; isAfter?: boolean } = {}): Uint8Array[] {
  let sequence = more.first ?? 0;
  return Array.from({ length: count }, (_, i) => {
    const records = i + 1;
    const units = version === 9 ? 1 : records;
    if (more.isAfter === true) sequence += units;
    const header = { sequence };
    if (more.isAfter !== true) sequence += units;
    if (version === 5) return message5(header, Array.from({ length: records }, () => flow5));
    const sets = i === 0 ? [set(version === 9 ? 0 : 2, layout), data(records)] : [data(records)];
    return version === 9 ? message9(header, ...sets) : message10(header, ...sets);
  });
}

type Deed = (datagrams: LinkDatagram[]) => LinkDatagram[];
type Case = {
  readonly messages: readonly Uint8Array[];
  readonly deed?: Deed;
  readonly silences?: readonly Silence[];
  readonly numbersAfter?: boolean;
};

function truthOf({ messages, deed = (all) => all, silences = [], numbersAfter = false }: Case): DomainTruth {
  const sent = sentOf(messages);
  const [first, ...others] = accountLink(readLinkCapture(capture(sent), port),
    readLinkCapture(capture(deed([...sent])), port), silences, new Set(numbersAfter ? ['192.0.2.1'] : []));
  assert.ok(first !== undefined && others.length === 0);
  assert.equal(first.sent, first.came + first.lostOnTheWay + first.lostWhileStopped);
  return first;
}

const lose = (...indexes: readonly number[]): Deed => (all) => all.filter((_, i) => !indexes.includes(i));
const copy = (index: number): Deed => (all) => [...all, all[index] as LinkDatagram];
const swap = (index: number): Deed => (all) => all.with(index, all[index + 1] as LinkDatagram)
  .with(index + 1, all[index] as LinkDatagram);

for (const version of [5, 9, 10]) {
  const messages = messagesOf(version, 8);
  const unitsOf = (...indexes: readonly number[]): number =>
    indexes.reduce((sum, i) => sum + (version === 9 ? 1 : i + 1), 0);
  const all = unitsOf(0, 1, 2, 3, 4, 5, 6, 7);
  const sound = truthOf({ messages });

  test(`version ${version}: a sound link loses nothing`, () => {
    assert.deepEqual([sound.sent, sound.came, sound.runs, sound.copies, sound.late], [all, all, 1, 0, 0]);
    assert.deepEqual([sound.flows, sound.datagramsCame, sound.datagramsSent, sound.ports], [36, 8, 8, 1]);
  });

  test(`version ${version}: each thing that happens changes its own figure`, () => {
    assert.deepEqual(truthOf({ messages, deed: lose(3) }), { ...sound, came: all - unitsOf(3), datagramsCame: 7,
      lostOnTheWay: unitsOf(3), flows: 32 });
    assert.deepEqual(truthOf({ messages, deed: copy(3) }), { ...sound, copies: 1 });
    assert.deepEqual(truthOf({ messages, deed: swap(3) }), { ...sound, late: 1 });
    // What is lost before the first one or behind the last one, no number tells.
    assert.deepEqual(truthOf({ messages, deed: lose(7) }), { ...sound, sent: all - unitsOf(7), came: all - unitsOf(7),
      datagramsCame: 7, flows: 28 });
    const headless = truthOf({ messages, deed: lose(0) });
    assert.deepEqual([headless.sent, headless.came], [all - unitsOf(0), all - unitsOf(0)]);
    if (version !== 5) assert.deepEqual([headless.flows, headless.waitingSets], [0, 7]);
  });

  test(`version ${version}: what came while nobody listened is lost, between two that were heard`, () => {
    const silences = [{ fromMs: startMs + 200, untilMs: startMs + 400 }];
    assert.deepEqual(truthOf({ messages, silences }), { ...sound, came: all - unitsOf(2, 3), datagramsCame: 6,
      lostWhileStopped: unitsOf(2, 3), flows: 36 - 7 });
    const both = truthOf({ messages, silences, deed: lose(4, 6) });
    assert.deepEqual([both.lostWhileStopped, both.lostOnTheWay], [unitsOf(2, 3, 4), unitsOf(6)]);
  });

  test(`version ${version}: a restart begins a run, which the ends of both are lost from`, () => {
    const again = messagesOf(version, 5, { first: 1 });
    const restarted = [...messages, ...again];
    const truth = truthOf({ messages: restarted, deed: lose(7, 8) });
    assert.deepEqual([truth.runs, truth.sent, truth.lostOnTheWay], [2, unitsOf(0, 1, 2, 3, 4, 5, 6, 1, 2, 3, 4), 0]);
  });
}

test('numbers that count the message itself are followed where it is said that they do', () => {
  const messages = messagesOf(10, 6, { isAfter: true });
  const truth = truthOf({ messages, numbersAfter: true, deed: lose(2) });
  assert.deepEqual([truth.runs, truth.sent, truth.came, truth.lostOnTheWay], [1, 21, 18, 3]);
  assert.ok(truthOf({ messages }).runs > 1);
});

test('ports are no part of a run', () => {
  const messages = messagesOf(9, 6);
  const sent = messages.map((bytes, i) => ({ ...sentOf([bytes], 40_000 + i)[0] as LinkDatagram, timeMs: startMs + i }));
  const [truth] = accountLink(sent, lose(1)(sent), []);
  assert.deepEqual([truth?.runs, truth?.ports, truth?.sent, truth?.lostOnTheWay], [1, 6, 6, 1]);
});

test('what cannot be is no truth: something came that was not sent, the same was sent twice, a frame is cut', () => {
  const sent = sentOf(messagesOf(9, 4));
  const changed = sent.map((each, i) => (i === 2 ? { ...each, bytes: each.bytes.with(30, 99) } : each));
  assert.throws(() => accountLink(sent, changed, []), /not sent/);
  assert.throws(() => accountLink([...sent, ...sent], sent, []), /twice/);
  const cut = capture(sent).with(24 + 8, 40);
  assert.throws(() => readLinkCapture(cut, port), /cut/);
});
