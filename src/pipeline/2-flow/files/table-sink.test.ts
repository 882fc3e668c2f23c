/** The small table output: quoting, JSON fields, order under pressure, kinds. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { limits } from '#base';
import { withFolder } from './arbitrary-flows.test.ts';
import { openTableSink } from './table-sink.ts';

const columns = ['timeMilliseconds', 'sourceAddress', 'name', 'ipId'];

test('CSV and JSON lines', async () => {
  await withFolder(async (folder) => {
    for (const suffix of ['csv', 'jsonl']) {
      const sink = await openTableSink(join(folder, `dns.${suffix}`), columns);
      await sink.write([1.5, '10.0.0.1', 'a,"b".example', undefined]);
      await sink.write([2, '::1', '', 7]);
      await sink.end();
      assert.equal(sink.rowsWritten, 2);
    }
    assert.equal(await readFile(join(folder, 'dns.csv'), 'utf8'),
      'timeMilliseconds,sourceAddress,name,ipId\n1.5,10.0.0.1,"a,""b"".example",\n2,::1,,7\n');
    assert.equal(await readFile(join(folder, 'dns.jsonl'), 'utf8'),
      '{"timeMilliseconds":1.5,"sourceAddress":"10.0.0.1","name":"a,\\"b\\".example"}\n' +
      '{"timeMilliseconds":2,"sourceAddress":"::1","name":"","ipId":7}\n');
  });
});

test('a caller that does not wait loses nothing and keeps the order', async () => {
  await withFolder(async (folder) => {
    const sink = await openTableSink(join(folder, 'dns.csv'), ['n', 'filler']);
    const filler = 'x'.repeat(limits.tableBufferBytes / 4);
    const rows = 40;
    let busy = 0;
    for (let n = 0; n < rows; n++) busy += Number(sink.write([n, filler]) !== undefined);
    assert.ok(busy > 0, 'the buffers were full at some time');
    await sink.write([rows, 'x'.repeat(limits.tableBufferBytes * 3)]);
    await sink.end();
    const lines = (await readFile(join(folder, 'dns.csv'), 'utf8')).trimEnd().split('\n').slice(1);
    assert.deepEqual(lines.map((line) => Number(line.split(',')[0])), Array.from({ length: rows + 1 }, (_, n) => n));
  });
});

test('kinds and places that cannot be written', async () => {
  for (const target of ['dns.parquet', 'dns.txt']) await assert.rejects(openTableSink(target, columns),
    { code: 'output-unknown-kind' });
  await withFolder(async (folder) => {
    await assert.rejects(openTableSink(join(folder, 'absent', 'dns.csv'), columns), { code: 'output-unwritable' });
    const sink = await openTableSink(join(folder, 'dns.csv'), columns);
    await sink.abandon();
    await assert.rejects(readFile(join(folder, 'dns.csv')));
  });
});
