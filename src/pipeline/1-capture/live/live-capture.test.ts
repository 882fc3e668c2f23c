/** A live capture over a made-up kernel: blocks in turn, ticks, stopping to the last packet, and interfaces that go. */
import assert from 'node:assert/strict';
import { closeSync, openSync } from 'node:fs';
import { test, type TestContext } from 'node:test';
import { EnvironmentError } from '#base';
import { copyRows, frameArp, frameIPv4, type SampleRow } from '../capture-samples.ts';
import type { PacketBatch } from '../packet-batch.ts';
import { LiveCapture } from './live-capture.ts';
import type { PacketSocketHandle } from './packet-socket.ts';
import { FakeKernel, type SampleRingFrame } from './ring-samples.ts';

function open(t: TestContext, handle: Partial<PacketSocketHandle> = {}, batchRows = 4): {
  kernel: FakeKernel; capture: LiveCapture;
} {
  const kernel = new FakeKernel(handle);
  // Events are written to: here into nothing.
  const event = openSync('/dev/null', 'w');
  const capture = new LiveCapture(kernel.handle, { batchRows, libc: kernel.libc(event) });
  t.after(() => {
    capture.close();
    closeSync(event);
  });
  return { kernel, capture };
}

/** Frames whose time in seconds is their number. */
function numbered(first: number, count: number): SampleRingFrame[] {
  return Array.from({ length: count }, (_, i) => ({ bytes: frameIPv4, seconds: first + i }));
}

async function readAll(capture: LiveCapture, tickMs: number, see: (batch: PacketBatch) => void = () => {},
): Promise<SampleRow[]> {
  const rows: SampleRow[] = [];
  for await (const batch of capture.batches(tickMs)) {
    see(batch);
    rows.push(...copyRows(batch));
  }
  return rows;
}

const secondsOf = (rows: readonly SampleRow[]): number[] => rows.map((row) => row.microseconds / 1e6);
const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

test('blocks are read in turn, over the end of the ring, and given back', async (t) => {
  const { kernel, capture } = open(t, { blockCount: 3 });
  for (let round = 0; round < 5; round++) {
    kernel.script.push(() => kernel.put(numbered(round * 6, 3)), () => kernel.put(numbered(round * 6 + 3, 3)));
  }
  kernel.script.push(() => capture.stop());
  assert.deepEqual(secondsOf(await readAll(capture, 10_000)), upTo(30));
  const counts = capture.counts();
  assert.deepEqual([counts.frames, counts.rows, counts.kernelPackets, counts.kernelDrops], [30, 30, 30, 0]);
  for (let i = 0; i < 3; i++) assert.equal(kernel.ring[i * kernel.handle.blockBytes + 8], 0, 'the kernel has it again');
});

test('with all blocks full the kernel drops; handed on and dropped are all', async (t) => {
  const { kernel, capture } = open(t, { blockCount: 2 });
  for (let i = 0; i < 5; i++) kernel.put(numbered(i * 5, 5));
  kernel.script.push(() => kernel.put([{ bytes: frameArp }, ...numbered(10, 2)]), () => capture.stop());
  assert.deepEqual(secondsOf(await readAll(capture, 10_000)), [...upTo(10), 10, 11]);
  capture.close();
  const { frames, rows, rejected, kernelPackets, kernelDrops, ringFreezes } = capture.counts();
  assert.deepEqual([frames, rows, rejected.toJSON(), kernelPackets, kernelDrops, ringFreezes],
    [13, 12, { 'not-ip': 1 }, 28, 15, 1]);
  assert.equal(frames + kernelDrops, kernelPackets);
});

test('after stop, what the kernel has counted and not yet handed on is waited for', async (t) => {
  const { kernel, capture } = open(t);
  kernel.script.push(() => {
    capture.stop();
    assert.ok(kernel.isStopped);
    kernel.count(3);
  }, () => {}, () => {
    kernel.count(-3);
    kernel.put(numbered(0, 3));
  });
  assert.deepEqual(secondsOf(await readAll(capture, 10_000)), [0, 1, 2]);
});

test('a kernel that never hands on what it counted is not waited for without end', async (t) => {
  const { kernel, capture } = open(t);
  kernel.script.push(() => {
    kernel.put(numbered(0, 2));
    kernel.count(1);
    capture.stop();
  });
  assert.deepEqual(secondsOf(await readAll(capture, 10_000)), [0, 1]);
  assert.equal(capture.counts().kernelPackets, 3, 'the difference shows');
});

test('without packets an empty batch comes at every tick, with packets none does', async (t) => {
  const { kernel, capture } = open(t);
  let empty = 0;
  const rows = await readAll(capture, 20, (batch) => {
    if (batch.rowCount > 0) return;
    empty++;
    if (empty === 2) kernel.put(numbered(0, 9));
    if (empty === 4) capture.stop();
  });
  assert.deepEqual(secondsOf(rows), upTo(9));
  assert.equal(empty, 4);
  assert.ok(kernel.polls >= 8 && kernel.polls < 200, `${kernel.polls} polls`);
});

test('the memory of batches is the one that was offered', async (t) => {
  const kernel = new FakeKernel();
  const event = openSync('/dev/null', 'w');
  const offered = new Uint8Array(kernel.handle.blockBytes);
  const capture = new LiveCapture(kernel.handle, {
    libc: kernel.libc(event),
    allocate: (bytes) => bytes === offered.length ? offered : undefined,
  });
  t.after(() => closeSync(event));
  kernel.put(numbered(0, 1));
  kernel.script.push(() => capture.stop());
  await readAll(capture, 1_000, (batch) => assert.equal(batch.data, offered));
  capture.close();
  assert.ok(kernel.isClosed);
  capture.close();
  assert.equal(capture.counts().rows, 1, 'counts stay');
});

test('an interface that goes down is waited for', async (t) => {
  const { kernel, capture } = open(t);
  const [one] = kernel.interfaces;
  kernel.script.push(
    () => kernel.put(numbered(0, 1)),
    () => {
      if (one !== undefined) one.isUp = false;
      kernel.socketError = 100;
    },
    () => assert.equal(capture.state, 'down'),
    () => {
      if (one !== undefined) one.isUp = true;
      kernel.put(numbered(1, 1));
      capture.stop();
    });
  assert.deepEqual(secondsOf(await readAll(capture, 10_000)), [0, 1]);
  assert.deepEqual([capture.counts().interfaceLosses, kernel.joined], [1, 0]);
});

test('an interface that is made anew under its name is bound again, promiscuous as before', async (t) => {
  const { kernel, capture } = open(t, { isPromiscuous: true });
  let ticks = 0;
  kernel.script.push(() => {
    kernel.interfaces = [{ name: 'eth1', index: 3, hardwareKind: 1, isUp: true }];
    kernel.socketError = 100;
  }, () => {
    assert.equal(capture.state, 'away');
    kernel.interfaces.push({ name: 'eth0', index: 9, hardwareKind: 1, isUp: true });
  });
  const rows = await readAll(capture, 100, () => {
    if (capture.state !== 'up' || ticks++ > 0) return;
    kernel.put(numbered(5, 1));
    capture.stop();
  });
  assert.deepEqual(secondsOf(rows), [5]);
  assert.deepEqual([kernel.bound, kernel.joined, capture.counts().interfaceLosses], [[9], 1, 1]);
});

test('a renamed interface is still ours', async (t) => {
  const { kernel, capture } = open(t);
  kernel.interfaces = [{ name: 'lan0', index: 2, hardwareKind: 1, isUp: true }];
  kernel.script.push(() => kernel.put(numbered(0, 1)), () => capture.stop());
  await readAll(capture, 10);
  assert.deepEqual([capture.state, kernel.bound], ['up', []]);
});

test('an interface that came back as another kind, and a socket that fails for good, end the capture', async (t) => {
  const first = open(t);
  first.kernel.script.push(() => {
    first.kernel.interfaces = [{ name: 'eth0', index: 4, hardwareKind: 65_534, isUp: true }];
    first.kernel.socketError = 100;
  });
  await assert.rejects(readAll(first.capture, 10_000), (thrown) =>
    thrown instanceof EnvironmentError && thrown.code === 'network' && /another kind/.test(thrown.message));
  const second = open(t);
  second.kernel.script.push(() => {
    second.kernel.socketError = 12;
  });
  await assert.rejects(readAll(second.capture, 10_000), /cannot be received any more \(ENOMEM\)/);
});

test('closing while it waits ends the reading', async (t) => {
  const { kernel, capture } = open(t);
  kernel.script.push(() => kernel.put(numbered(0, 1)), () => capture.close());
  assert.deepEqual(secondsOf(await readAll(capture, 10_000)), [0]);
});

test('timers get their turn while packets never end', async (t) => {
  const { kernel, capture } = open(t, { blockCount: 2 }, 1_024);
  let isOver = false;
  setTimeout(() => {
    isOver = true;
  }, 30);
  let next = 0;
  const fill = (): void => {
    if (isOver) capture.stop();
    else kernel.put(numbered(next++, 1));
  };
  fill();
  await readAll(capture, 10_000, fill);
  assert.ok(next > 10 && isOver);
});
