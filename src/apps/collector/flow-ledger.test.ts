/** What becomes of rows: every one is stored, open or not stored, whatever happens to files. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createFlowBatch, type FlowBatch } from '#flow';
import { FlowLedger, type FlowAccount } from './flow-ledger.ts';

/** A batch with a row for each sender: the last byte of its address, and its domain. */
function makeBatch(senders: readonly (readonly [number, number])[]): FlowBatch {
  const batch = createFlowBatch(Math.max(1, senders.length));
  senders.forEach(([host, domain], row) => {
    batch.columns.exporterAddress.set([0, 0, 0xffff, 0xc0000200 + host], row * 4);
    batch.columns.observationDomainId[row] = domain;
  });
  batch.rowCount = senders.length;
  return batch;
}

const short = ({ exporter, domain, stored, open, notStored }: FlowAccount): string =>
  `${exporter}/${domain}: ${stored} ${open} ${notStored}`;

test('rows are counted by exporter and domain, from memory to the file to the whole file', () => {
  const ledger = new FlowLedger();
  const batch = makeBatch([[1, 0], [1, 0], [2, 0], [2, 7], [1, 0]]);
  ledger.begin(batch);
  assert.ok(ledger.isHanding);
  ledger.complete(5);
  assert.deepEqual(ledger.accounts().map(short), ['192.0.2.1/0: 0 3 0', '192.0.2.2/0: 0 1 0', '192.0.2.2/7: 0 1 0']);
  ledger.noteWhole();
  assert.deepEqual(ledger.accounts().map(short)[0], '192.0.2.1/0: 0 3 0', 'what is in memory is in no file');
  ledger.noteWritten(5);
  ledger.noteWhole();
  assert.deepEqual(ledger.accounts().map(short), ['192.0.2.1/0: 3 0 0', '192.0.2.2/0: 1 0 0', '192.0.2.2/7: 1 0 0']);
});

test('a file that ends within a batch takes the rows before, and leaves those behind', () => {
  const ledger = new FlowLedger();
  ledger.begin(makeBatch([[1, 0]]));
  ledger.complete(1);
  const batch = makeBatch([[2, 0], [2, 0], [3, 0], [3, 0]]);
  ledger.begin(batch);
  ledger.noteWritten(3);
  ledger.noteWhole();
  ledger.complete(4);
  assert.deepEqual(ledger.accounts().map(short), ['192.0.2.1/0: 1 0 0', '192.0.2.2/0: 2 0 0', '192.0.2.3/0: 0 2 0']);
});

test('rows that were not taken, waited in vain, or were in a broken file are not stored', () => {
  const ledger = new FlowLedger();
  const batch = makeBatch([[1, 0], [1, 0], [2, 0]]);
  ledger.begin(batch);
  ledger.lose(batch, 1, 3);
  ledger.complete(1);
  assert.deepEqual(ledger.accounts().map(short), ['192.0.2.1/0: 0 1 1', '192.0.2.2/0: 0 0 1']);
  ledger.lose(makeBatch([[1, 0]]), 0, 1);
  assert.deepEqual(ledger.accounts().map(short), ['192.0.2.1/0: 0 0 2', '192.0.2.2/0: 0 0 1']);
  for (const host of [3, 4]) {
    ledger.begin(makeBatch([[host, 0], [host, 0]]));
    ledger.complete(2);
    ledger.noteWritten(2);
  }
  ledger.noteBroken(2);
  ledger.noteWhole();
  assert.deepEqual(ledger.accounts().map(short).slice(2), ['192.0.2.3/0: 2 0 0', '192.0.2.4/0: 0 0 2']);
});

test('beyond the limit, exporters share one account; a restart goes on where it was', () => {
  const ledger = new FlowLedger(2);
  ledger.begin(makeBatch([[1, 0], [2, 0], [3, 0], [4, 0], [1, 0]]));
  ledger.complete(5);
  assert.deepEqual(ledger.accounts().map(short), ['192.0.2.1/0: 0 2 0', '192.0.2.2/0: 0 1 0', '/0: 0 2 0']);
  const [whole, lost] = [new FlowLedger(2), new FlowLedger(2)];
  whole.restore(ledger.accounts(), true);
  lost.restore(ledger.accounts(), false);
  assert.deepEqual(whole.accounts().map(short), ['192.0.2.1/0: 2 0 0', '192.0.2.2/0: 1 0 0', '/0: 2 0 0']);
  assert.deepEqual(lost.accounts().map(short), ['192.0.2.1/0: 0 0 2', '192.0.2.2/0: 0 0 1', '/0: 0 0 2']);
});

/** A sink by the rules of `RotatingSink`, with rows as numbers of hosts: what it says of them is the truth. */
class ModelSink {
  readonly whole: number[] = [];
  readonly lost: number[] = [];
  group: number[] = [];
  file: number[][] = [];
  isFailing = false;
  readonly #ledger: FlowLedger;
  readonly #groupRows: number;

  constructor(ledger: FlowLedger, groupRows: number) {
    this.#ledger = ledger;
    this.#groupRows = groupRows;
  }

  write(hosts: readonly number[]): void {
    const batch = makeBatch(hosts.map((host) => [host, 0]));
    this.#ledger.begin(batch);
    let taken = hosts.length;
    for (const [i, host] of hosts.entries()) {
      if (this.group.length === this.#groupRows && !this.flush()) {
        this.lost.push(...hosts.slice(i));
        this.#ledger.lose(batch, i, hosts.length);
        taken = i;
        break;
      }
      this.group.push(host);
    }
    this.#ledger.complete(taken);
  }

  flush(): boolean {
    if (this.isFailing) return false;
    if (this.group.length === 0) return true;
    this.file.push(this.group);
    this.#ledger.noteWritten(this.group.length);
    this.group = [];
    return true;
  }

  finish(): void {
    this.whole.push(...this.file.flat());
    this.file = [];
    this.#ledger.noteWhole();
  }

  /** Takes the last groups of the file away. */
  breakGroups(count: number): void {
    for (const group of this.file.splice(Math.max(0, this.file.length - count)).reverse()) {
      this.lost.push(...group);
      this.#ledger.noteBroken(group.length);
    }
  }
}

test('every row has one fate, and that of its own', () => {
  const host = fc.integer({ min: 1, max: 4 });
  const step = fc.oneof(
    fc.record({ kind: fc.constant('write' as const), hosts: fc.array(host, { maxLength: 12 }) }),
    fc.record({ kind: fc.constantFrom('flush' as const, 'finish' as const, 'fail' as const, 'mend' as const,
      'break' as const), hosts: fc.constant([]) }),
  );
  fc.assert(fc.property(fc.array(step, { maxLength: 40 }), fc.integer({ min: 1, max: 6 }), (steps, groupRows) => {
    const ledger = new FlowLedger();
    const sink = new ModelSink(ledger, groupRows);
    for (const { kind, hosts } of steps) {
      if (kind === 'write') sink.write(hosts);
      else if (kind === 'flush') sink.flush();
      else if (kind === 'finish') sink.finish();
      else if (kind === 'break') sink.breakGroups(2);
      else sink.isFailing = kind === 'fail';
      const count = (rows: readonly number[], sender: number): number =>
        rows.filter((each) => each === sender).length;
      for (const account of ledger.accounts()) {
        const sender = Number(account.exporter.split('.').at(-1));
        assert.equal(account.stored, count(sink.whole, sender));
        assert.equal(account.notStored, count(sink.lost, sender));
        assert.equal(account.open, count([...sink.file.flat(), ...sink.group], sender));
        assert.equal(account.rows, account.stored + account.open + account.notStored);
      }
    }
  }), { numRuns: 400 });
});
