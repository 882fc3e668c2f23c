/** Packets find the flows that they went into: side by side, one behind the other, within a millisecond, and none. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { noFlow } from '../baseline/device-trace.ts';
import { linkPackets, type LinkedPackets, type TracedFlow } from './link-packets.ts';
import { ConversationNumbers } from './trace-packets.ts';

type Packet = { readonly timeMs: number; readonly conversation?: number; readonly interfaceClass?: number };

function link(packets: readonly Packet[], flows: readonly Partial<TracedFlow>[]): LinkedPackets {
  return linkPackets({
    count: packets.length,
    timeMs: Float64Array.from(packets, ({ timeMs }) => timeMs),
    conversation: Uint32Array.from(packets, ({ conversation = 0 }) => conversation),
    interfaceClass: Uint32Array.from(packets, ({ interfaceClass = 0 }) => interfaceClass),
  }, flows.map((flow) => ({ conversation: 0, interfaceClass: 0, startMs: 0, endMs: 0, packets: 1, ...flow })), 3);
}

const at = (...times: number[]): Packet[] => times.map((timeMs) => ({ timeMs }));

test('flows behind each other share a millisecond: the counters decide', () => {
  const flows = [{ startMs: 5, endMs: 9, packets: 2 }, { startMs: 1, endMs: 5, packets: 3 }];
  assert.deepEqual([...link(at(1, 5.1, 5.2, 5.3, 9.9), flows).flow], [1, 1, 1, 0, 0]);
});

test('packets out of order are put in order first', () => {
  const flows = [{ startMs: 1, endMs: 2, packets: 2 }, { startMs: 2, endMs: 3, packets: 2 }];
  assert.deepEqual([...link(at(2.5, 3, 1, 2.1), flows).flow], [1, 1, 0, 0]);
});

test('flows side by side have different types of service; a stray packet goes where one is missing', () => {
  const flows = [{ startMs: 0, endMs: 9, packets: 2, interfaceClass: 8 }, { startMs: 1, endMs: 9, packets: 3 }];
  const packets = [{ timeMs: 0, interfaceClass: 8 }, ...at(1, 2), { timeMs: 3, interfaceClass: 8 },
    { timeMs: 9, interfaceClass: 192 }];
  assert.deepEqual(link(packets, flows), { flow: Uint32Array.of(0, 1, 1, 0, 1), incompleteFlows: 0 });
});

test('a flow that is over takes no packet, though it lacks some and another goes on', () => {
  const flows = [{ startMs: 0, endMs: 9, packets: 2, interfaceClass: 8 }, { startMs: 1, endMs: 3, packets: 2 }];
  const packets = [{ timeMs: 0, interfaceClass: 8 }, ...at(1, 7), { timeMs: 9, interfaceClass: 8 }];
  assert.deepEqual(link(packets, flows), { flow: Uint32Array.of(0, 1, noFlow, 0), incompleteFlows: 1 });
});

test('packets of no flow stay without; flows that lack some are counted', () => {
  const flows = [{ startMs: 10, endMs: 20, packets: 3 }, { startMs: 10, endMs: 20, packets: 1, conversation: 1 }];
  const packets = [...at(9.9, 10, 15, 21), { timeMs: 12, conversation: 1 }, { timeMs: 13, conversation: 1 },
    { timeMs: 12, conversation: 2 }, { timeMs: 12, conversation: noFlow }];
  const { flow, incompleteFlows } = link(packets, flows);
  assert.deepEqual([...flow], [noFlow, 0, 0, noFlow, 1, noFlow, noFlow, noFlow]);
  assert.equal(incompleteFlows, 1);
});

test('whatever a conversation was cut into, every packet finds its flow', () => {
  const gap = fc.double({ min: 0, max: 3, noNaN: true });
  fc.assert(fc.property(fc.array(fc.tuple(gap, fc.boolean(), fc.nat(2)), { minLength: 1, maxLength: 60 }), (steps) => {
    const packets: Required<Packet>[] = [];
    const flows: TracedFlow[] = [];
    const expected: number[] = [];
    const open = new Map<number, number>();
    let timeMs = 1_000;
    for (const [wait, isCut, conversation] of steps) {
      timeMs += wait;
      const known = isCut ? undefined : open.get(conversation);
      const ms = Math.floor(timeMs);
      const number = known ?? flows.push({ conversation, interfaceClass: 0, startMs: ms, endMs: ms, packets: 0 }) - 1;
      const flow = flows[number] as TracedFlow;
      flows[number] = { ...flow, endMs: ms, packets: flow.packets + 1 };
      open.set(conversation, number);
      packets.push({ timeMs, conversation, interfaceClass: 0 });
      expected.push(number);
    }
    assert.deepEqual([...link(packets, flows).flow], expected);
  }));
});

test('conversations have one number each, however many there are', () => {
  const conversations = new ConversationNumbers();
  const keyOf = (i: number): [number, number, number, number] => [i % 7, i % 11, i, i % 2 === 0 ? 6 : 17];
  for (let i = 0; i < 20_000; i++) assert.equal(conversations.numberOf(...keyOf(i)), i);
  for (let i = 0; i < 20_000; i++) assert.equal(conversations.numberOf(...keyOf(i)), i);
  assert.equal(conversations.count, 20_000);
});
