/**
 * What became of the rows of each exporter and domain: in a file that is whole, in the one that is being written, in
 * memory, or not stored. Always `rows = stored + open + notStored`. A function of what it is told; it writes nothing.
 *
 * Rows are told in the order in which they are handed over, and go on in that order: from memory into the file by whole
 * row groups, from there into a whole file together.
 */
import { assertInvariant, formatAddress, limits } from '#base';
import type { FlowBatch } from '#flow';

/** Rows of one exporter and observation domain, of all versions of the protocol. Plain data. */
export type FlowAccount = {
  /** Empty: those that found no account of their own. */
  readonly exporter: string;
  readonly domain: number;
  /** Handed to the output. */
  readonly rows: number;
  /** In files that are whole. */
  readonly stored: number;
  /** In the file that is being written, or in memory: a kill would lose them. */
  readonly open: number;
  /** The disk did not take them, or a kill lost them. */
  readonly notStored: number;
};

type Account = { readonly exporter: string; readonly domain: number; stored: number; open: number; notStored: number };
/** Rows by account. */
type Segment = Map<Account, number>;

/** Row groups of the open file that are kept apart; a full disk takes the last ones away. */
const groupsApartMax = 8;

export class FlowLedger {
  readonly #accounts = new Map<string, Account>();
  readonly #accountsMax: number;
  /** Rows in memory. */
  #waiting: Segment = new Map();
  /** Row groups of the open file, the last at the end; the first holds all that are no longer kept apart. */
  #groups: Segment[] = [];
  /** The batch that is being handed over: rows up to `settled` are counted already. */
  #batch: { readonly batch: FlowBatch; settled: number } | undefined;

  constructor(accountsMax: number = limits.exportDomainsMax) {
    this.#accountsMax = accountsMax;
  }

  /** True between `begin` and `complete`. */
  get isHanding(): boolean {
    return this.#batch !== undefined;
  }

  /** The rows of a batch are going to be handed over. */
  begin(batch: FlowBatch): void {
    this.#batch = { batch, settled: 0 };
  }

  /** They were, and rows from `takenRows` on were not taken, of which `lose` was told. */
  complete(takenRows: number): void {
    this.#take(takenRows);
    this.#batch = undefined;
  }

  /** Rows [first, end) are not stored: of the batch that is handed over, or all that waited in memory. */
  lose(batch: FlowBatch, first: number, end: number): void {
    const handing = this.#batch;
    if (handing?.batch === batch) {
      this.#take(first);
      this.#each(batch, first, end, (account, rows) => {
        account.notStored += rows;
      });
      handing.settled = end;
      return;
    }
    this.#each(batch, first, end, (account, rows) => {
      account.open -= rows;
      account.notStored += rows;
      this.#waiting.set(account, (this.#waiting.get(account) ?? 0) - rows);
    });
  }

  /** A row group was written: all rows that were in memory are in the file. @param rows  of the group */
  noteWritten(rows: number): void {
    const missing = rows - countRows(this.#waiting);
    // The rest of the group is of the batch that is being handed over, which is told of only afterwards.
    if (missing > 0) {
      assertInvariant(this.#batch !== undefined, 'a row group holds rows that were handed over');
      this.#take(this.#batch.settled + missing);
    }
    this.#groups.push(this.#waiting);
    this.#waiting = new Map();
    if (this.#groups.length > groupsApartMax) {
      const [first, second, ...others] = this.#groups as [Segment, Segment, ...Segment[]];
      for (const [account, count] of second) first.set(account, (first.get(account) ?? 0) + count);
      this.#groups = [first, ...others];
    }
  }

  /** The file is whole. */
  noteWhole(): void {
    for (const group of this.#groups) {
      for (const [account, rows] of group) {
        account.open -= rows;
        account.stored += rows;
      }
    }
    this.#groups = [];
  }

  /** The last rows of the file are lost. */
  noteBroken(rows: number): void {
    let left = rows;
    while (left > 0) {
      const group = this.#groups.at(-1);
      assertInvariant(group !== undefined, 'a file loses rows that it had');
      for (const [account, count] of group) {
        const lost = Math.min(count, left);
        account.open -= lost;
        account.notStored += lost;
        left -= lost;
        if (lost === count) group.delete(account);
        else group.set(account, count - lost);
      }
      if (group.size === 0) this.#groups.pop();
    }
  }

  accounts(): FlowAccount[] {
    return [...this.#accounts.values()].map(({ exporter, domain, stored, open, notStored }) =>
      ({ exporter, domain, rows: stored + open + notStored, stored, open, notStored }));
  }

  /**
   * Takes up where a run before stopped. Only before the first row.
   *
   * @param isWhole  what was open then is in a file that is whole; false: it is lost
   */
  restore(accounts: readonly FlowAccount[], isWhole: boolean): void {
    for (const { exporter, domain, stored, open, notStored } of accounts) {
      this.#accounts.set(exporter === '' ? restKey : `${exporter}/${domain}`, {
        exporter, domain, open: 0, stored: stored + (isWhole ? open : 0), notStored: notStored + (isWhole ? 0 : open),
      });
    }
  }

  /** Counts the rows of the batch before `end` that are not counted yet: they are in memory. */
  #take(end: number): void {
    const handing = this.#batch;
    if (handing === undefined || end <= handing.settled) return;
    this.#each(handing.batch, handing.settled, end, (account, rows) => {
      account.open += rows;
      this.#waiting.set(account, (this.#waiting.get(account) ?? 0) + rows);
    });
    handing.settled = end;
  }

  #each(batch: FlowBatch, first: number, end: number, add: (account: Account, rows: number) => void): void {
    const { exporterAddress: words, observationDomainId: domains } = batch.columns;
    for (let row = first; row < end;) {
      // Rows come in runs of one datagram.
      let next = row + 1;
      while (next < end && domains[next] === domains[row] && isSameAddress(words, row, next)) next++;
      add(this.#find(formatAddress(words, row * 4), domains[row] as number), next - row);
      row = next;
    }
  }

  #find(exporter: string, domain: number): Account {
    const key = `${exporter}/${domain}`;
    const known = this.#accounts.get(key);
    if (known !== undefined) return known;
    const isFull = this.#accounts.size >= this.#accountsMax;
    const rest = isFull ? this.#accounts.get(restKey) : undefined;
    if (rest !== undefined) return rest;
    const account = { exporter: isFull ? '' : exporter, domain: isFull ? 0 : domain, stored: 0, open: 0, notStored: 0 };
    this.#accounts.set(isFull ? restKey : key, account);
    return account;
  }
}

const restKey = '(other)';

function countRows(segment: Segment): number {
  let rows = 0;
  for (const count of segment.values()) rows += count;
  return rows;
}

function isSameAddress(words: Uint32Array, a: number, b: number): boolean {
  return words[a * 4 + 3] === words[b * 4 + 3] && words[a * 4 + 2] === words[b * 4 + 2] &&
    words[a * 4 + 1] === words[b * 4 + 1] && words[a * 4] === words[b * 4];
}
