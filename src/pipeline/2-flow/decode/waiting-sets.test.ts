/** Waiting sets: taken in order by template or by age, within bytes, whatever is taken in between. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Random } from '#base';
import { ExportDomain } from './export-domain.ts';
import { OpenMessage } from './open-message.ts';
import { createMessageHeader } from './message-header.ts';
import { WaitingSets, type WaitingSet } from './waiting-sets.ts';

test('against a plain list', () => {
  const domains = [1, 2].map((last) => new ExportDomain([0, 0, 0xffff, last], 9, 0));
  fc.assert(fc.property(fc.integer(), (seed) => {
    const random = new Random(seed);
    const waiting = new WaitingSets({ bytesMax: 20_000, waitMs: 50 });
    let plain: WaitingSet[] = [];
    const label = (sets: readonly WaitingSet[]): number[] => sets.map(({ bytes }) => bytes[0] as number);
    for (let now = 0; now < 250; now += random.integer(0, 3)) {
      const domain = random.pick(domains);
      const templateId = random.integer(256, 259);
      const action = random.integer(0, 9);
      if (action < 7) {
        const set = { domain, templateId, header: createMessageHeader(), receivedMs: now,
          message: new OpenMessage(true), bytes: new Uint8Array(random.integer(4, 400)).fill(random.integer(0, 255)) };
        const isKept = waiting.add(set);
        const bytes = plain.reduce((sum, other) => sum + other.bytes.length, 0);
        assert.equal(isKept, bytes + set.bytes.length + (plain.length + 1) * 256 <= 20_000);
        if (isKept) plain.push(set);
      } else if (action < 9) {
        const wanted = plain.filter((set) => set.domain === domain && set.templateId === templateId);
        assert.deepEqual(label(waiting.takeFor(domain, templateId)), label(wanted));
        plain = plain.filter((set) => !wanted.includes(set));
      } else {
        const old = plain.filter((set) => now - set.receivedMs > 50);
        assert.deepEqual(label(waiting.takeExpired(now)), label(old));
        plain = plain.filter((set) => !old.includes(set));
      }
      assert.equal(waiting.count, plain.length);
      assert.equal(waiting.bytes, plain.reduce((sum, { bytes }) => sum + bytes.length, 0));
    }
    assert.deepEqual(label(waiting.takeAll()), label(plain));
    assert.deepEqual([waiting.count, waiting.bytes, ...domains.map(({ waitingSets }) => waitingSets)], [0, 0, 0, 0]);
  }), { numRuns: 150 });
});
