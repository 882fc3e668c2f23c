/** Kinds of values: what they write they read to the same, within their bounds, and they say what they take. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parse } from 'smol-toml';
import { parseDuration } from '#base';
import {
  choice, decimalNumber, duration, flag, formatDuration, formatSize, listOf, networkKinds as net, pathOf, showValue,
  size, text, ValueFault, wholeNumber, writeText, type ConfigKey, type ValueKind,
} from '#service';
import { configKeys } from './config-keys.ts';

const keys: readonly ConfigKey[] = configKeys;

/** A value through TOML and back. */
function roundTrip<T>(kind: ValueKind<T>, value: T): unknown {
  return kind.read(parse(`key = ${kind.write(value)}`).key);
}

function faultOf(kind: ValueKind<unknown>, value: unknown): string {
  const read = kind.read(value);
  assert.ok(read instanceof ValueFault, `${showValue(value)} was read as ${kind.name}`);
  return read.text;
}

test('defaults and examples of all keys are values of their kind, and come back through TOML', () => {
  assert.ok(keys.length > 90);
  for (const key of keys) {
    assert.deepEqual(roundTrip(key.kind, key.example), key.example, pathOf(key));
    if (key.presence === 'default') assert.deepEqual(roundTrip(key.kind, key.byDefault), key.byDefault, pathOf(key));
  }
});

test('every key has its sentence, and no name is there twice', () => {
  for (const key of keys) assert.match(key.meaning, /^[A-Z].*[^.\s]$/s, pathOf(key));
  assert.equal(new Set(keys.map(pathOf)).size, keys.length);
  for (const key of keys) {
    assert.match(key.name, /^[a-z][a-z0-9]*(?:_[a-z0-9]+)*$/);
    assert.equal(key.without !== '', key.presence === 'optional', pathOf(key));
  }
});

test('any value of any type is read or refused with a sentence, by every kind', () => {
  const values = fc.oneof(fc.string({ unit: 'binary' }), fc.double(), fc.integer(), fc.boolean(), fc.bigInt(),
    fc.array(fc.oneof(fc.string(), fc.integer())), fc.constant({ a: 1 }), fc.date(),
    fc.constantFrom('', '0s', '::', '0.0.0.0/0', 'udp://[::]:0', 'a@b', '1h', '4MiB', NaN, -0));
  fc.assert(fc.property(fc.constantFrom(...keys), values, (key, value) => {
    const read = key.kind.read(value);
    if (!(read instanceof ValueFault)) {
      assert.deepEqual(key.kind.read(parse(`key = ${key.kind.write(read)}`).key), read, pathOf(key));
      return;
    }
    assert.match(read.text, /^(?:is|has|must|\(entry \d+\)) .*[^.]$/u, pathOf(key));
    assert.doesNotMatch(read.text, /[\p{Cc}\p{Cf}]/u);
  }), { numRuns: 3_000 });
});

test('durations come back as they were written', () => {
  fc.assert(fc.property(fc.nat({ max: 1e12 }), (ms) => assert.equal(parseDuration(formatDuration(ms)), ms)));
});

test('a plain number is no duration, and the sentence says what to write', () => {
  const kind = duration({ min: 0, max: 3_600_000 });
  assert.match(faultOf(kind, 90), /with its unit.*not 90; 90 seconds are "90s"/);
  assert.match(faultOf(kind, 0), /0 seconds are "0s"/);
  assert.doesNotMatch(faultOf(kind, 1.5), /seconds are/);
  assert.match(faultOf(kind, '2h'), /from 0s to 1h, not "2h"/);
});

test('sizes have a unit', () => {
  const kind = size({ min: 0, max: 1 << 30 });
  assert.equal(kind.read('4MiB'), 4 << 20);
  assert.match(faultOf(kind, 4_194_304), /4194304 bytes are "4MiB"/);
  for (const wrong of ['4MB', '4', '-1B', '4 MiB', '2GiB', true]) faultOf(kind, wrong);
  fc.assert(fc.property(fc.nat({ max: 1 << 30 }), (bytes) => assert.equal(kind.read(formatSize(bytes)), bytes)));
});

test('numbers are within their bounds, NaN and infinity are none', () => {
  for (const kind of [wholeNumber({ min: 1, max: 5 }), decimalNumber({ min: 1, max: 5 })]) {
    assert.equal(kind.read(5), 5);
    for (const wrong of [0, 6, NaN, Infinity, '3', true, [3]]) faultOf(kind, wrong);
  }
  faultOf(wholeNumber({ min: 1, max: 5 }), 2.5);
  assert.equal(decimalNumber({ min: 1, max: 5 }).read(2.5), 2.5);
  faultOf(flag, 'true');
});

test('texts have one line, and nothing that a terminal obeys', () => {
  const kind = text({ name: 'text', expected: 'a text', lengthMax: 5 });
  assert.equal(kind.read('äöü 1'), 'äöü 1');
  for (const wrong of ['', 'a\nb', 'a\tb', '\u202eabc', '\u001b[1m', '\u2028', 'abcdef', 3]) faultOf(kind, wrong);
  assert.equal(writeText('\u202e"\u{e0001}'), '"\\u202e\\"\\U000e0001"');
});

test('lists say which entry is wrong, and refuse the same twice', () => {
  const kind = listOf(choice(['a', 'b']), { countMax: 3 });
  assert.match(faultOf(kind, ['a', 'c']), /^\(entry 2\) is "a" or "b", not "c"$/);
  assert.match(faultOf(kind, ['a', 'a']), /twice/);
  assert.match(faultOf(kind, ['a', 'b', 'a', 'b']), /3 are the most/);
  assert.match(faultOf(kind, 'a'), /list in brackets/);
  assert.match(faultOf(listOf(net.prefix), ['2001:db8::/32', '2001:0db8::/32']), /twice/);
});

test('prefixes without bits beyond their length', () => {
  assert.match(faultOf(net.prefix, '192.0.2.1/24'), /the prefix is "192.0.2.0\/24"/);
  assert.match(faultOf(net.prefix, '2001:db8::1/32'), /the prefix is "2001:db8::\/32"/);
  for (const wrong of ['192.0.2.0/33', '10/8', 'home', '::/129', '1.2.3', 5]) faultOf(net.prefix, wrong);
  fc.assert(fc.property(fc.ipV4(), fc.integer({ min: 0, max: 32 }), (host, bits) => {
    const read = net.prefix.read(`${host}/${bits}`);
    const [, masked = ''] = read instanceof ValueFault ? /the prefix is "(.+)"/.exec(read.text) ?? [] : [];
    const sound = read instanceof ValueFault ? net.prefix.read(masked) : read;
    assert.ok(!(sound instanceof ValueFault), masked);
    assert.deepEqual(roundTrip(net.prefix, sound), sound);
  }));
});

test('listeners, servers and URLs', () => {
  const listen = net.listenAddress(['udp', 'tcp'], '"udp://0.0.0.0:2055"');
  assert.deepEqual(listen.read('tcp://[::]:4739'), { transport: 'tcp', address: '::', port: 4739 });
  for (const wrong of ['udp://0.0.0.0', 'tls://[::]:1', 'udp://::1:5', 'udp://host:5', 'udp://1.2.3.4:65536',
    'udp://1.2.3.4:5/', '0.0.0.0:2055', 2055]) faultOf(listen, wrong);
  assert.deepEqual(net.syslogServer.read('tls://log.example.net'),
    { transport: 'tls', address: 'log.example.net', port: 6_514 });
  assert.equal(net.mailServer.read('smtp://mail.example.net'), 'smtp://mail.example.net:587');
  assert.equal(net.mailServer.read('smtps://[2001:db8::1]:465'), 'smtps://[2001:db8::1]:465');
  for (const wrong of ['http://mail.example.net', 'smtp://', 'smtp://a b', 'smtp://1.2.3']) {
    faultOf(net.mailServer, wrong);
  }
  const url = net.webUrl('https://a.example');
  assert.equal(url.read('https://hooks.example.net/x?y=1'), 'https://hooks.example.net/x?y=1');
  for (const wrong of ['ftp://a', 'https://', 'https://a b', 'javascript:x', 'https://a/\n']) faultOf(url, wrong);
});

test('a login within a server or URL is refused, and not shown', () => {
  for (const fault of [faultOf(net.mailServer, 'smtps://user:hunter2@mail.example.net'),
    faultOf(net.webUrl('https://a.example'), 'https://user:hunter2@a.example')]) {
    assert.match(fault, /must not hold a login/);
    assert.doesNotMatch(fault, /hunter2/);
  }
});

test('mailboxes cannot smuggle headers or further receivers', () => {
  assert.equal(net.mailbox.read('Example Net <a@example.net>'), 'Example Net <a@example.net>');
  assert.equal(net.mailbox.read('a@example.net'), 'a@example.net');
  for (const wrong of ['a', 'a@b, c@d', 'x <a@b>, <c@d>', 'a@b\r\nBcc: c@d', '<a@b', 'x" <a@b>']) {
    faultOf(net.mailbox, wrong);
    faultOf(net.mailAddress, wrong);
  }
});
