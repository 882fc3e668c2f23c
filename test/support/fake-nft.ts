/**
 * An `nft` for tests without rights and without a kernel. It takes the few sentences that scripts of blocks consist of,
 * all of one script or none, refuses every other, and lists as nft 1.0.6 does. Its time stands still until the test
 * moves it.
 */
import type { ProgramEnd, ProgramRun } from '../../src/pipeline/7-action/run-program.ts';

type FakeElement = { untilMs: number; comment: string };
/** Elements of `timeout` sets end; those of other sets stand for good. */
type FakeSet = { type: string; flags: string; elements: Record<string, FakeElement> };
type FakeTable = { sets: Record<string, FakeSet>; chains: Record<string, string[]> };
type State = { nowMs: number; tables: Record<string, FakeTable> };

export class FakeNft {
  #state: State;
  #complaint = '';
  /** Arguments of the calls so far. */
  readonly calls: string[] = [];

  /** @param saved  of an earlier one */
  constructor(saved?: string) {
    this.#state = saved === undefined ? { nowMs: 0, tables: {} } : JSON.parse(saved) as State;
  }

  save(): string {
    return JSON.stringify(this.#state);
  }

  /** Takes the place of the program. */
  readonly run = ({ args, input, signal }: ProgramRun): Promise<ProgramEnd> => {
    if (signal?.aborted === true) return Promise.resolve({ end: 'stopped' });
    this.calls.push(args.join(' '));
    try {
      return Promise.resolve(exited(0, this.#obey(args, input)));
    } catch (thrown) {
      if (!(thrown instanceof Complaint)) throw thrown;
      return Promise.resolve(exited(1, '', `Error: ${thrown.message}\n`));
    }
  };

  /** Elements that stand, as `table set { key } for SECONDS`, sorted. */
  elements(): string[] {
    const { nowMs, tables } = this.#state;
    return Object.entries(tables).flatMap(([table, { sets }]) => Object.entries(sets).flatMap(([set, { elements }]) =>
      Object.entries(elements).filter(([, { untilMs }]) => untilMs > nowMs)
        .map(([key, { untilMs }]) => `${table} ${set} { ${key} } for ${(untilMs - nowMs) / 1_000}`))).sort();
  }

  /** Keys of sets without timeouts. */
  allowed(table: string): string[] {
    return Object.values(this.#state.tables[table]?.sets ?? {}).filter(({ flags }) => flags === 'interval')
      .flatMap(({ elements }) => Object.keys(elements));
  }

  rules(table: string, chain: string): string[] {
    return this.#state.tables[table]?.chains[chain] ?? [];
  }

  pass(durationMs: number): void {
    this.#state.nowMs += durationMs;
  }

  /** From now on it says this and fails; '': it works again. */
  complain(complaint: string): void {
    this.#complaint = complaint;
  }

  #obey(args: readonly string[], input: string): string {
    if (this.#complaint !== '') throw new Complaint(this.#complaint);
    if (args.slice(0, 4).join(' ') === '-j list table inet') return list(this.#state, args[4]);
    if (args.join(' ') !== '-f -') throw new Complaint(`syntax error, unexpected ${args.join(' ')}`);
    const changed = structuredClone(this.#state);
    runScript(changed, input);
    this.#state = changed;
    return '';
  }
}

function exited(code: number, stdout: string, stderr = ''): ProgramEnd {
  return { end: 'exited', code, stdout, stderr, isCut: false };
}

class Complaint extends Error {}

const name = String.raw`([A-Za-z][\w-]*)`;
/** One sentence of a script each: what it looks like, and what it does. */
const sentences: readonly [RegExp, (state: State, words: readonly string[]) => void][] = [
  [sentence(`add table inet ${name}`), (state, [table]) => {
    state.tables[table as string] ??= { sets: {}, chains: {} };
  }],
  [sentence(`add chain inet ${name} ${name}(?: \\{ type filter hook forward priority -?\\d+; policy accept; \\})?`),
    (state, [table, chain]) => { tableOf(state, table).chains[chain as string] ??= []; }],
  [sentence(`flush chain inet ${name} ${name}`), (state, [table, chain]) => {
    chainOf(state, table, chain).length = 0;
  }],
  [sentence(`add set inet ${name} ${name} \\{ type ([a-z\\d_ .]+); flags (timeout|interval); (?:auto-merge; )?\\}`),
    (state, [table, set, type = '', flags = '']) => {
      const { sets } = tableOf(state, table);
      const present = sets[set as string] ??= { type, flags, elements: {} };
      if (present.type !== type || present.flags !== flags) throw new Complaint('Could not process rule: File exists');
    }],
  [sentence(`flush set inet ${name} ${name}`), (state, [table, set]) => { setOf(state, table, set).elements = {}; }],
  [sentence(`add rule inet ${name} ${name} (.+)`), (state, [table, chain, rule = '']) => {
    for (const [, used] of rule.matchAll(/@(\w+)/g)) setOf(state, table, used);
    chainOf(state, table, chain).push(rule);
  }],
  [sentence(`add element inet ${name} ${name} \\{ ([\\da-f.:/, ]+) \\}`), (state, [table, set, keys = '']) => {
    for (const key of keys.split(', ')) setOf(state, table, set).elements[key] = { untilMs: 0, comment: '' };
  }],
  [sentence(`add element inet ${name} ${name} \\{ ([\\da-z.: ]+) timeout (\\d+)ms comment "([^"]{0,128})" \\}`),
    (state, [table, set, key = '', durationMs, comment = '']) => {
      const { type, flags, elements } = setOf(state, table, set);
      const isFitting = flags === 'timeout' && type.split(' . ').length === key.split(' . ').length;
      if (!isFitting) throw new Complaint('Could not process rule: Invalid argument');
      const isThere = (elements[key]?.untilMs ?? 0) > state.nowMs;
      if (!isThere) elements[key] = { untilMs: state.nowMs + Number(durationMs), comment };
    }],
  [sentence(`delete element inet ${name} ${name} \\{ ([\\da-z.: ]+) \\}`), (state, [table, set, key = '']) => {
    const { elements } = setOf(state, table, set);
    if (!((elements[key]?.untilMs ?? 0) > state.nowMs)) throw absent();
    delete elements[key];
  }],
];

function sentence(pattern: string): RegExp {
  return new RegExp(`^${pattern}$`);
}

function absent(): Complaint {
  return new Complaint('Could not process rule: No such file or directory');
}

function tableOf(state: State, table = ''): FakeTable {
  const found = state.tables[table];
  if (found === undefined) throw absent();
  return found;
}

function chainOf(state: State, table = '', chain = ''): string[] {
  const found = tableOf(state, table).chains[chain];
  if (found === undefined) throw absent();
  return found;
}

function setOf(state: State, table = '', set = ''): FakeSet {
  const found = tableOf(state, table).sets[set];
  if (found === undefined) throw absent();
  return found;
}

function runScript(state: State, script: string): void {
  for (const line of script.split('\n').filter(Boolean)) {
    const known = sentences.find(([pattern]) => pattern.test(line));
    if (known === undefined) throw new Complaint(`syntax error, unexpected string\n${line}`);
    known[1](state, (known[0].exec(line) as RegExpExecArray).slice(1));
  }
}

function list(state: State, table = ''): string {
  const { nowMs } = state;
  const { sets } = tableOf(state, table);
  const listed = Object.entries(sets).map(([set, { type, flags, elements }]) => {
    const elem = Object.entries(elements).filter(([, { untilMs }]) => untilMs > nowMs).map(([key, one]) => {
      const concat = key.split(' . ').map((part) => (/^\d+$/.test(part) ? Number(part) : part));
      const expires = Math.floor((one.untilMs - nowMs) / 1_000);
      return { elem: { val: { concat }, timeout: expires, expires, comment: one.comment } };
    });
    return { set: { family: 'inet', name: set, table, type: type.split(' . '), handle: 1, flags: [flags], elem } };
  });
  return JSON.stringify({ nftables: [
    { metainfo: { version: '1.0.6', release_name: 'Lester Gooch #5', json_schema_version: 1 } },
    { table: { family: 'inet', name: table, handle: 1 } }, ...listed,
  ] });
}
