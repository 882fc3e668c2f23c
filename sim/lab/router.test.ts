/** The router: what leaves is translated soundly, nothing of the home shows outside, and the truth is whole. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '#base';
import { readFrame } from '../../test/support/frame-reader.ts';
import { outsideAddress, outsideOf, portPolicies, Router, type PortPolicy, type Translation } from './router.ts';
import { simulateLab } from './simulate-lab.ts';

const options = { seed: 21, days: 4, scale: 0.02 };

type Outer = { readonly timeMicroseconds: number; readonly frame: Uint8Array };

function run(policy: PortPolicy, clockOffsetMicroseconds = 0): { outer: Outer[]; translations: Translation[] } {
  const translations: Translation[] = [];
  const router = new Router({
    policy, random: new Random(1), clockOffsetMicroseconds, record: (over) => translations.push(over),
  });
  return { outer: [...outsideOf(simulateLab(options), router)], translations };
}

for (const policy of portPolicies) {
  test(`${policy}: every frame outside is sound, in order, from or to the one address, and told in the truth`, () => {
    const { outer, translations } = run(policy);
    const keys = new Map<string, Translation[]>();
    for (const over of translations) {
      const key = `${over.protocol} ${over.outsidePort} ${over.remoteAddress} ${over.remotePort}`;
      keys.set(key, [...(keys.get(key) ?? []), over]);
    }
    let before = 0;
    for (const { timeMicroseconds, frame } of outer) {
      assert.ok(timeMicroseconds >= before);
      before = timeMicroseconds;
      const read = readFrame(frame);
      assert.ok(read.isSound && read.version === 4);
      assert.ok((read.source === outsideAddress) !== (read.destination === outsideAddress));
      assert.ok(!read.source.startsWith('192.168.') && !read.destination.startsWith('192.168.'));
      if (read.protocol === 1) continue;
      const isLeaving = read.source === outsideAddress;
      const key = isLeaving ? `${read.protocol} ${read.sourcePort} ${read.destination} ${read.destinationPort}`
        : `${read.protocol} ${read.destinationPort} ${read.source} ${read.sourcePort}`;
      const found = (keys.get(key) ?? []).filter(({ firstMicroseconds, lastMicroseconds }) =>
        timeMicroseconds >= firstMicroseconds - 1_000 && timeMicroseconds <= lastMicroseconds + 1_000);
      assert.ok(found.length === 1, `${key}: ${found.length} translations at one time`);
    }
    assert.ok(translations.length > 2_000);
    assert.ok(translations.some(({ deviceName }) => deviceName === 'router'));
    const same = translations.filter(({ insidePort, outsidePort }) => insidePort === outsidePort).length;
    if (policy === 'preserve') assert.ok(same > 0.8 * translations.length, `${same} of ${translations.length}`);
    else assert.ok(same < 0.01 * translations.length, `${same} of ${translations.length}`);
  });
}

test('everything of the inner side that leads away is outside, with the same bytes above the ports', () => {
  const away: string[] = [];
  for (const { frame } of simulateLab(options)) {
    const read = readFrame(frame);
    const [isFrom, isTo] = [read.source, read.destination].map((address) => address.startsWith('192.168.1.'));
    const remote = isFrom === true ? read.destination : read.source;
    if (read.version !== 4 || (isFrom === true && isTo === true) || remote === '0.0.0.0' ||
      /^(2[2-5]\d)\./.test(remote)) continue;
    if (read.protocol === 6 || read.protocol === 17) {
      away.push(`${remote} ${read.sequence} ${Buffer.from(read.payload).toString('base64')}`);
    }
  }
  const seen = run('random').outer.flatMap(({ frame }) => {
    const read = readFrame(frame);
    const remote = read.source === outsideAddress ? read.destination : read.source;
    if (remote === '198.51.100.53' || read.protocol === 1) return [];
    return [`${remote} ${read.sequence} ${Buffer.from(read.payload).toString('base64')}`];
  });
  assert.ok(away.length > 10_000);
  assert.deepEqual(seen.toSorted(), away.toSorted());
});

test('the same seed translates alike; a clock that is ahead moves all times outside', () => {
  const first = run('random');
  assert.deepEqual(run('random'), first);
  const ahead = run('random', 250_000);
  assert.deepEqual(ahead.outer.map(({ timeMicroseconds }) => timeMicroseconds - 250_000),
    first.outer.map(({ timeMicroseconds }) => timeMicroseconds));
});
