/** What can be known of rights without having any; test/system/probe.test.ts gives some up. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeMissingRight, readThreadRights, takeHandedSocket } from './process-rights.ts';

const skip = process.platform === 'linux' ? false : 'there is no /proc here';

test('every thread of this process tells its rights and its users', { skip }, () => {
  const threads = readThreadRights();
  assert.ok(threads.length > 1);
  assert.equal(new Set(threads.map(({ thread }) => thread)).size, threads.length);
  for (const { permitted, effective, ambient, users } of threads) {
    for (const words of [permitted, effective, ambient]) assert.match(words, /^[0-9a-f]{16}$/);
    assert.deepEqual(users, Array.from({ length: 4 }, () => process.getuid?.()));
  }
  assert.ok(readThreadRights(process.pid).length > 1);
});

test('a socket is taken over once, and only by who has no rights of its own', { skip }, () => {
  const environment = { NATLENS_PROBE_SOCKET: '{"descriptor":7}' };
  const hasRights = readThreadRights().some(({ permitted }) => !/^0+$/.test(permitted));
  assert.deepEqual(takeHandedSocket(environment), hasRights ? undefined : { descriptor: 7 });
  // Children are told nothing of it.
  assert.deepEqual(environment, {});
  assert.equal(takeHandedSocket(environment), undefined);
});

test('whoever lacks the right is told what to type', () => {
  const text = describeMissingRight('eth0', 'natlens probe eth0 --json', '/opt/node/bin/node');
  assert.match(text, /Packets of eth0 cannot be seen/);
  assert.match(text, /^ {2}sudo natlens probe eth0 --json /m);
  assert.match(text, /^ {2}sudo setcap cap_net_raw\+ep \/opt\/node\/bin\/node /m);
  assert.match(text, /AmbientCapabilities=CAP_NET_RAW/);
});
