/** Syslog messages: a strict reader gets back what was put in, whatever was put in, and never two messages of one. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { limits } from '#base';
import { sampleAction, sampleStartMs, sampleVerdict } from '../../../../test/support/outbox-sample.ts';
import { parseCef, parseSyslog } from '../../../../test/support/syslog-parser.ts';
import { rungs } from '../action.ts';
import { viewForReceiver } from '../webhook/receiver-view.ts';
import { cutAtCharacter, formatSyslog } from './syslog-message.ts';

const header = { facility: 16, timeMs: sampleStartMs + 7, hostName: 'box.example' };
const view = viewForReceiver(sampleAction(), true, (text) => text);

test('a message, field by field', () => {
  const block = { homeAddress: '192.0.2.7', destination: '198.51.100.9', protocol: 'udp', port: 5_000 } as const;
  const action = sampleAction({ rung: 'mitigate', step: 2, block, reasons: [
    { code: 'presence', text: 'x' }, { code: 'operator-order', text: 'y' }] });
  const parsed = parseSyslog(formatSyslog(viewForReceiver(action, false, () => 'h-0123456789ab'), header));
  const id = '0123456789ab0123456789ab';
  assert.deepEqual({ ...parsed, message: '' }, {
    facility: 16, severity: 4, timestamp: '2026-03-01T12:00:00.007Z', hostName: 'box.example', appName: 'natlens',
    processId: '-', messageId: 'mitigate', message: '',
    data: { 'natlens@32473': {
      id, home: 'h-0123456789ab', deviceModel: 'webcam.D_Link.DCS_933L', episode: '1', step: '2',
      reasons: 'presence,operator-order', state: 'present',
    } },
  });
  assert.deepEqual(parseCef(parsed.message), {
    vendor: 'natlens', product: 'natlens detector', version: '1', eventClass: 'mitigate',
    name: 'webcam.D_Link.DCS_933L present', severity: 8,
    extension: {
      externalId: id, rt: String(sampleStartMs), act: 'mitigate', reason: 'presence,operator-order',
      cs1Label: 'home', cs1: 'h-0123456789ab', cs2Label: 'deviceModel', cs2: 'webcam.D_Link.DCS_933L',
      cs3Label: 'classifier', cs3: 'ab'.repeat(32), cn1Label: 'episode', cn1: '1', cnt: '3',
      start: String(sampleStartMs - 600_000), end: String(sampleStartMs), proto: 'udp', dst: '198.51.100.9',
      dpt: '5000',
    },
  });
});

test('where it is one of several device models, all of them are named', () => {
  const group = ['webcam.A.1', 'webcam.D_Link.DCS_933L'];
  const action = sampleAction({ verdict: sampleVerdict({ group }) });
  const { data, message } = parseSyslog(formatSyslog(viewForReceiver(action, true, (text) => text), header));
  assert.equal(data['natlens@32473']?.group, group.join(','));
  const { name, extension } = parseCef(message);
  assert.equal(name, 'one of webcam.A.1, webcam.D_Link.DCS_933L present');
  assert.deepEqual([extension.cs5Label, extension.cs5], ['group', group.join(',')]);
});

test('the example of the page is what is sent', () => {
  const page = readFileSync(new URL('../../../../docs/receivers.md', import.meta.url), 'utf8');
  const example = /^<133>.*$/m.exec(page)?.[0] ?? '';
  const { data } = parseSyslog(Buffer.from(example));
  const { id = '', home = '' } = data['natlens@32473'] ?? {};
  const message = formatSyslog({ ...view, id, home },
    { facility: 16, timeMs: sampleStartMs + 4_000, hostName: 'box17.example.net' });
  assert.equal(message.toString(), example);
});

test('a prefix is a text, since `dst` takes addresses only', () => {
  const block = { homeAddress: '192.0.2.7', destination: '198.51.100.0/24', protocol: 'tcp', port: undefined } as const;
  const { message } = parseSyslog(formatSyslog(viewForReceiver(sampleAction({ block }), true, String), header));
  const { extension } = parseCef(message);
  assert.deepEqual([extension['cs4'], extension['dst'], extension['dpt']], ['198.51.100.0/24', undefined, undefined]);
});

test('severity follows the ladder, priority the facility', () => {
  const seen = rungs.map((rung) => {
    const parsed = parseSyslog(formatSyslog({ ...view, rung }, { ...header, facility: 23 }));
    assert.equal(parsed.facility, 23);
    return [parsed.severity, parseCef(parsed.message).severity] as const;
  });
  assert.deepEqual(seen, [[6, 2], [6, 3], [5, 5], [5, 6], [4, 8]]);
});

test('whatever the texts, it is one message of one line within the limit, and read back as it was', () => {
  const nasty = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 40 }),
    fc.string({ unit: fc.constantFrom('\\', '"', ']', '|', '=', '\n', '\r', ' ', '[', '<34>1 ', 'ü', '😀', '\u2028'),
      maxLength: 300 }));
  fc.assert(fc.property(nasty, nasty, nasty, (home, deviceModel, hostName) => {
    const bytes = formatSyslog({ ...view, home, deviceModel }, { ...header, hostName });
    assert.ok(bytes.length <= limits.syslogMessageBytesMax, `${bytes.length} bytes`);
    const parsed = parseSyslog(bytes);
    const flat = (text: string): string => cutAtCharacter(
      Buffer.from(text.toWellFormed().replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ')), 128).toString();
    assert.doesNotMatch(bytes.toString(), /[\p{Cc}]/u);
    assert.equal(parsed.data['natlens@32473']?.['home'], flat(home));
    assert.equal(parsed.data['natlens@32473']?.['deviceModel'], flat(deviceModel));
    const { extension } = parseCef(parsed.message);
    assert.equal(extension['act'], 'notify');
    // Spaces at the ends are not escaped in CEF: no reader can tell them from those between pairs.
    assert.equal(extension['cs1']?.trim(), flat(home).trim());
    assert.equal(extension['cs2']?.trim(), flat(deviceModel).trim());
  }));
});

test('texts are cut between characters', () => {
  const text = Buffer.from('aü😀');
  assert.deepEqual([0, 1, 2, 3, 4, 6, 7].map((length) => cutAtCharacter(text, length).toString()),
    ['', 'a', 'a', 'aü', 'aü', 'aü', 'aü😀']);
});
