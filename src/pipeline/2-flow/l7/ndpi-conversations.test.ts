/** The table of conversations beside a plain model of it, with tiny limits. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  ConversationTable, noConversation, stateClosing, stateFinal, stateFree, stateInspecting,
} from './ndpi-conversations.ts';

type Key = { source: number[]; destination: number[]; sourcePort: number; destinationPort: number; protocol: number };

/** Few values, so that keys meet, some alike but for one field. */
const side = fc.constantFrom<number[][]>([0, 0, 0xffff, 1], [0, 0, 0xffff, 2], [0, 0, 0xffff, 0xffffffff],
  [1, 0, 0xffff, 1], [0, 0, 0, 1]);
const key: fc.Arbitrary<Key> = fc.record({
  source: side,
  destination: side,
  sourcePort: fc.constantFrom(0, 53, 0xffff),
  destinationPort: fc.constantFrom(0, 53, 0xffff),
  protocol: fc.constantFrom(6, 17),
});

function find(table: ConversationTable, { source, destination, sourcePort, destinationPort, protocol }: Key): number {
  return table.find(Uint32Array.from([9, ...source]), 1, Uint32Array.from([8, 8, 8, 8, ...destination]), 4,
    sourcePort * 0x10000 + destinationPort, protocol);
}

function reverse(one: Key): Key {
  const { source, destination, sourcePort, destinationPort, protocol } = one;
  const ports = { sourcePort: destinationPort, destinationPort: sourcePort };
  return { source: destination, destination: source, ...ports, protocol };
}

function textOf({ source, destination, sourcePort, destinationPort, protocol }: Key): string {
  return `${protocol} ${[`${source}|${sourcePort}`, `${destination}|${destinationPort}`].sort().join(' ')}`;
}

test('finds what was added, in both directions, whatever was evicted in between', () => {
  fc.assert(fc.property(fc.array(key, { maxLength: 200 }), fc.integer({ min: 1, max: 9 }), (keys, conversationsMax) => {
    const table = new ConversationTable(conversationsMax);
    const model = new Map<string, number>();
    for (const one of keys) {
      assert.equal(find(table, reverse(one)), model.get(textOf(one)) ?? noConversation);
      if (find(table, one) !== noConversation) continue;
      if (table.isFull()) {
        const oldest = table.chooseOldest();
        table.unlink(oldest);
        table.release(oldest);
        for (const [text, index] of model) if (index === oldest) model.delete(text);
      }
      const index = table.add();
      assert.notEqual(index, noConversation);
      assert.equal(table.stateOf(index), stateFree);
      table.setState(index, stateFinal);
      model.set(textOf(one), index);
      assert.equal(table.count, model.size);
      assert.ok(table.count <= conversationsMax);
    }
  }));
});

test('evicts one that was not seen since the others', () => {
  const table = new ConversationTable(3);
  const sides = { source: [0, 0, 0, 1], destination: [0, 0, 0, 2], sourcePort: 0, destinationPort: 0 };
  const keys = [1, 2, 3].map((protocol) => ({ ...sides, protocol }));
  for (const one of keys) {
    find(table, one);
    table.setState(table.add(), stateFinal);
  }
  // The first choice clears the marks of all and takes the first; then only the third is seen again.
  const first = table.chooseOldest();
  assert.equal(first, find(table, keys[0] as Key));
  find(table, keys[2] as Key);
  assert.equal(table.chooseOldest(), find(table, keys[1] as Key));
});

test('an index that is closing is not given out again until it is released', () => {
  const table = new ConversationTable(2);
  const added: number[] = [];
  for (let protocol = 0; protocol < 5; protocol++) {
    find(table, { source: [0, 0, 0, 1], destination: [0, 0, 0, 2], sourcePort: 0, destinationPort: 0, protocol });
    if (table.isFull()) {
      const oldest = table.chooseOldest();
      table.unlink(oldest);
      table.setState(oldest, stateClosing);
    }
    added.push(table.add());
    if (added.at(-1) !== noConversation) table.setState(added.at(-1) as number, stateInspecting);
  }
  assert.equal(new Set(added.slice(0, 4)).size, 4, 'capacity is the limit and two that close');
  assert.equal(added[4], noConversation);
  table.release(added[0] as number);
  assert.equal(table.add(), added[0]);
});
