/**
 * The IoT-deNAT table: labels, partition, and the clock offset of 4,200 s. The table's access is restricted now:
 * synthetic rows.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '#base';
import { bytesSource } from './arbitrary-flows.test.ts';
import { findClockOffsetMs } from './import-iot-denat.ts';
import { readFlows, type FlowReadOptions, type FlowReading } from './read-flows.ts';
import { recogniseFlows } from './recognise-flows.ts';

const names = 'device_model,partition,FIRST_SWITCHED,LAST_SWITCHED,IN_BYTES,IN_PKTS,IPV4_DST_ADDR,L4_DST_PORT,L4_SRC_PORT,PROTOCOL,SRC_TOS,TCP_FLAGS,IP';

/** Rows whose true duration in seconds is given; starts are shown `offsetSeconds` late. */
function table(durations: readonly number[], offsetSeconds: number, header = names): string {
  const rows = durations.map((duration, i) => {
    const start = 1_525_000_000 + i * 3;
    const label = `webcam.D_Link.DCS_942L,${i % 5 === 4 ? 'test' : 'training'}`;
    return `${label},${start + offsetSeconds},${start + duration},${100 + i},2,52.1.2.3,443,50000,6,0,27,52.1`;
  });
  return `${header}\n${rows.join('\n')}\n`;
}

type Row = { start: number; end: number; model: string; partition: string; octets: number };

async function readAll(text: string, options: FlowReadOptions = {}): Promise<{ reading: FlowReading; rows: Row[] }> {
  assert.equal(recogniseFlows(new TextEncoder().encode(text)), 'iot-denat');
  const reading = readFlows(bytesSource(text, 997), 'iot-denat', options);
  const rows: Row[] = [];
  for await (const { columns: c, dictionaries: d, rowCount } of reading.batches()) {
    for (let row = 0; row < rowCount; row++) {
      rows.push({
        start: c.flowStartMilliseconds[row]!, end: c.flowEndMilliseconds[row]!, octets: c.initiatorOctets[row]!,
        model: d.device_model.decode(c.device_model[row]!), partition: d.partition.decode(c.partition[row]!),
      });
    }
  }
  return { reading, rows };
}

const random = new Random(7);
const durations = Array.from({ length: 500 }, () => (random.chance(0.4) ? 0 : random.integer(1, 120)));

test('the clock offset is found, repaired and reported', async () => {
  const { reading, rows } = await readAll(table(durations, 4_200), { batchRows: 64 });
  assert.deepEqual(rows.map(({ start, end }) => (end - start) / 1_000), durations);
  assert.equal(rows[0]!.start, 1_525_000_000_000, 'the start is moved, the end is kept');
  assert.deepEqual(reading.repaired.toJSON(), { 'clock-offset': 500 });
  assert.ok(reading.notes.includes('Flows start 4200 s after they end: two clocks; all starts are moved back by that.'));
  assert.deepEqual([reading.rows, reading.rejected.total()], [500, 0]);
});

test('labels and the partition are kept', async () => {
  const { rows } = await readAll(table([1, 2, 3, 4, 5], 0));
  assert.deepEqual(rows.map(({ partition }) => partition), ['training', 'training', 'training', 'training', 'test']);
  assert.equal(rows[4]!.model, 'webcam.D_Link.DCS_942L');
  assert.equal(rows[4]!.octets, 104);
});

test('rows that the offset does not explain are rejected, in the first batch and later', async () => {
  const lines = table(durations, 4_200).trimEnd().split('\n');
  // Rows 6 and 301 end 100 s earlier still: after the repair they end before they start.
  for (const line of [6, 301]) lines[line] = lines[line]!.replace(/,(\d+),(\d+),/,
    (_, first: string, last: string) => `,${first},${Number(last) - 300},`);
  const { reading, rows } = await readAll(lines.join('\n'), { batchRows: 50 });
  assert.deepEqual([rows.length, reading.rejected.get('bad-row'), reading.records], [498, 2, 500]);
  assert.deepEqual(reading.problems.map(({ detail }) => detail), [
    'line 7: the flow ends before it starts', 'line 302: the flow ends before it starts',
  ]);
  assert.ok(!rows.some(({ octets }) => octets === 105 || octets === 400), 'the others are not disturbed');
});

test('a table with one clock is left alone, and its backward rows are rejected', async () => {
  const lines = table(durations, 0).trimEnd().split('\n');
  lines[3] = lines[3]!.replace(/,(\d+),(\d+),/, (_, first: string) => `,${first},${Number(first) - 5},`);
  const { reading } = await readAll(lines.join('\n'));
  assert.deepEqual([reading.rows, reading.rejected.total(), reading.repaired.total()], [499, 1, 0]);
});

test('no offset is seen where there is none to see', () => {
  const of = (pairs: [number, number][]): number =>
    findClockOffsetMs(Float64Array.from(pairs, ([start]) => start), Float64Array.from(pairs, ([, end]) => end),
      pairs.length);
  assert.equal(of([]), 0);
  assert.equal(of([[5_000, 9_000], [1_000, 1_000]]), 0);
  const scattered = Array.from({ length: 100 }, (_, i): [number, number] => [1e12 + i * 7_919_000, 1e12]);
  assert.equal(of(scattered), 0, 'gaps all over are no clock offset');
  assert.equal(of(Array.from({ length: 100 }, (): [number, number] => [1e12 + 4_200_000, 1e12])), 4_200_000);
});

test('other spellings, a device column, and what is missing', async () => {
  const { reading } = await readAll(table([1], 0, names.replace('device_model', 'Device_Model').replace(',IP',
    ',MAC')));
  assert.equal(reading.rows, 1);
  assert.ok(reading.notes.some((note) => note.includes('IPV4_SRC_ADDR')));
  await assert.rejects(readAll(table([1], 0, names.replace('IN_BYTES', 'BYTES'))),
    { code: 'bad-columns', message: /IN_BYTES/ });
});
