/** The log of outcomes: what others said of a home does not get into it, what an operator needs does. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Outcome, PlannedAction } from '#action';
import type { HomeEntry } from './config/detector-config.ts';
import { describeOutcome } from './describe-outcome.ts';
import { describeBug } from '#service';

const entry: HomeEntry = {
  home: 'haus-am-see', mail: 'ottilie.quandt@customers.example', name: 'Ms Ottilie Quandt', language: 'en',
  addresses: ['198.51.100.71'], exporter: undefined, interfaceIndex: undefined, prefixes: [], optedOut: false,
};

function describe(kind: PlannedAction['kind'], status: Outcome['status'], detail: string): string {
  return describeOutcome({ status, detail }, { kind, home: entry.home }, entry) ?? '';
}

test('a mail server may repeat whom it refuses, in any letters', () => {
  const detail = '550 OTTILIE.QUANDT@customers.example: mailbox of Ottilie Quandt (haus-am-see, 198.51.100.71) is full';
  const said = describe('mail', 'failed', detail);
  assert.doesNotMatch(said, /ottilie|quandt|customers|haus|198\.51/i);
  assert.match(said, /^550 .* is full$/);
  assert.match(describe('mail', 'retry', '535 5.7.8 authentication failed'), /^535 5\.7\.8 authentication failed$/);
  assert.match(describe('webhook', 'retry', 'connect ECONNREFUSED 192.0.2.9:443'),
    /^connect ECONNREFUSED \[address\]:443$/);
});

test('by the number of a queue nobody finds out whose mail it was', () => {
  assert.equal(describe('mail', 'done', 'the server took it: 250 2.0.0 Ok: queued as 4ZmX2'), '');
  assert.equal(describe('webhook', 'done', 'answered with status 204'), 'answered with status 204');
});

test('a program\'s own words are for the audit', () => {
  const outcome: Outcome = { status: 'done', answer: 'confirmed', detail: 'command: confirmed (haus-am-see has one)' };
  assert.equal(describeOutcome(outcome, { kind: 'verify', home: entry.home }, entry), 'confirmed');
  assert.equal(describe('verify', 'retry', '/bin/ask exited with 3 (no answer from (see) 10.0.0.7)'),
    '/bin/ask exited with 3');
  assert.equal(describe('verify', 'retry', '/bin/ask does not start (ENOENT)'), '/bin/ask does not start (ENOENT)');
});

test('what is blocked is not told, why it could not be is', () => {
  assert.equal(describe('block', 'done', 'ipv4_port { 198.51.100.71 . tcp . 23 } is blocked for 60 s'), '');
  assert.equal(describe('block', 'failed', '203.0.113.0 is allowed and never blocked'),
    '[address] is allowed and never blocked');
});

test('names of the config are no patterns, and short parts are left alone', () => {
  const odd: HomeEntry = { ...entry, home: 'a.*b(', name: 'X. Y+', mail: 'ab@customers.example' };
  const outcome: Outcome = { status: 'failed', detail: 'axxb A.*B( and x. y+ said ab' };
  const said = describeOutcome(outcome, { kind: 'mail', home: odd.home }, odd);
  assert.equal(said, 'axxb [home] and [contact] said ab');
});

test('a bug is told with its places, without addresses and without what hangs on it', () => {
  const bug = Object.assign(new TypeError('no answer from 198.51.100.71\nfor ottilie@customers.example'),
    { response: '550 haus-am-see' });
  const text = describeBug(bug);
  assert.match(text, /^TypeError: no answer from \[address\] for \[address\]\n +at /);
  assert.doesNotMatch(text, /198|ottilie|haus/);
  assert.equal(describeBug('thrown by 198.51.100.71'), 'thrown by [address]');
});
