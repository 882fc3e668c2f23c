/**
 * Values of all keys, read from a TOML document by the table of keys. Faults are collected, not thrown: an operator is
 * told of all at once. Of a faulty value its default or example stands in, so that what depends on it can be looked at.
 */
import { parse, TomlError, type TomlTable } from 'smol-toml';
import { describeError, OperatorError } from '#base';
import { showValue, ValueFault } from './config-kinds.ts';
import { headOf, pathOf, type ConfigKey, type ConfigSection, type ConfigTable } from './config-table.ts';
import { describeUnknownKey, describeUnknownSection } from './nearest-key.ts';

/** Values of one section, by name. @template R  rows of the table */
export type SectionValues<R extends KeyShape, S extends string> = {
  readonly [K in Extract<R, { section: S }> as K['name']]:
    K extends ConfigKey<string, string, infer T, infer P> ? (P extends 'optional' ? T | undefined : T) : never;
};

type KeyShape = { readonly section: string; readonly name: string };
type SectionShapeOf = { readonly name: string; readonly kind: ConfigSection['kind'] };

/** Values of all sections, by name; those of lists are lists, optional ones may be missing. */
export type TableValues<D extends SectionShapeOf, R extends KeyShape> = {
  readonly [S in D['name']]: Extract<D, { name: S }>['kind'] extends 'list' ? readonly SectionValues<R, S>[]
    : Extract<D, { name: S }>['kind'] extends 'optional' ? SectionValues<R, S> | undefined : SectionValues<R, S>;
};

export type ConfigFault = {
  /** `input.listen`, `home[2].mail` (entries counted from 1). */
  readonly path: string;
  /** Follows the path: "is a duration …", "is missing". */
  readonly text: string;
};

export type ReadValues<V> = {
  readonly values: V;
  readonly faults: readonly ConfigFault[];
  /** Keys and sections, without numbers of entries, that have a fault. */
  readonly faulty: ReadonlySet<string>;
  /** Keys that the document gives, without numbers of entries. */
  readonly given: ReadonlySet<string>;
};

/** @throws OperatorError  the text is no TOML; says the line */
export function parseToml(text: string, file: string): TomlTable {
  try {
    return parse(text);
  } catch (thrown) {
    const [sentence = ''] = describeError(thrown).replace('Invalid TOML document: ', '').split('\n');
    const place = thrown instanceof TomlError ? `, line ${thrown.line}, column ${thrown.column}` : '';
    throw new OperatorError('bad-config', `${file}${place}: ${sentence}.`, thrown);
  }
}

const isTable = (value: unknown): value is TomlTable =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);

/**
 * The values of a document.
 *
 * @param table     whose types `V` are made of, by `TableValues`
 * @param document  as parsed; read only
 */
export function readValues<V>(table: ConfigTable, document: TomlTable): ReadValues<V> {
  const reader = new ValueReader(table);
  reader.readSection('', '', document);
  return reader.finish<V>();
}

type SectionShape = {
  readonly kind: ConfigSection['kind'];
  readonly keys: readonly ConfigKey[];
  readonly inner: readonly ConfigSection[];
  /** Of keys and inner sections. */
  readonly names: ReadonlySet<string>;
};

/** What may be in each section; asked once for every entry of a list. */
function shapesOf({ sections, keys: allKeys }: ConfigTable): ReadonlyMap<string, SectionShape> {
  return new Map(sections.map(({ name, kind }) => {
    const keys = allKeys.filter((key) => key.section === name);
    const inner = sections.filter((section) => section.name !== '' && outerOf(section.name) === name);
    const names = new Set([...keys.map((key) => key.name), ...inner.map((section) => lastOf(section.name))]);
    return [name, { kind, keys, inner, names }];
  }));
}

class ValueReader {
  readonly #table: ConfigTable;
  readonly #shapes: ReadonlyMap<string, SectionShape>;
  readonly #values: Record<string, unknown> = {};
  readonly #faults: ConfigFault[] = [];
  readonly #faulty = new Set<string>();
  readonly #given = new Set<string>();

  constructor(table: ConfigTable) {
    this.#table = table;
    this.#shapes = shapesOf(table);
  }

  /**
   * @param name  of the section
   * @param path  the same with numbers of entries
   */
  readSection(name: string, path: string, table: TomlTable): Record<string, unknown> {
    const { kind, keys, inner, names } = this.#shapes.get(name) as SectionShape;
    const values = Object.fromEntries(keys.map((key) => [key.name, this.#readKey(key, path, table)]));
    for (const section of inner) this.#readInner(section, path, table);
    for (const [unknown, value] of Object.entries(table)) {
      if (!names.has(unknown)) this.#refuseUnknown(name, join(path, showName(unknown)), unknown, value);
    }
    if (kind !== 'list') this.#values[name] = values;
    return values;
  }

  finish<V>(): ReadValues<V> {
    const empty = Object.fromEntries(this.#table.sections.map(({ name, kind }) =>
      [name, kind === 'list' ? [] : undefined]));
    const values = { ...empty, ...this.#values } as unknown as V;
    return { values, faults: this.#faults, faulty: this.#faulty, given: this.#given };
  }

  #readKey(key: ConfigKey, path: string, table: TomlTable): unknown {
    const standIn = key.presence === 'optional' ? undefined : key.byDefault ?? key.example;
    if (!Object.hasOwn(table, key.name)) {
      if (key.presence === 'required') this.#refuse(pathOf(key), join(path, key.name), `is missing: ${key.meaning}`);
      return standIn;
    }
    this.#given.add(pathOf(key));
    const read = key.kind.read(table[key.name]);
    if (!(read instanceof ValueFault)) return read;
    this.#refuse(pathOf(key), join(path, key.name), read.text);
    return standIn;
  }

  #readInner(section: ConfigSection, path: string, table: TomlTable): void {
    const name = lastOf(section.name);
    const innerPath = join(path, name);
    const value = Object.hasOwn(table, name) ? table[name] : undefined;
    if (section.kind === 'list') {
      if (value !== undefined) this.#values[section.name] = this.#readEntries(section, innerPath, value);
      return;
    }
    if (value === undefined) {
      if (section.kind === 'table') this.readSection(section.name, innerPath, {});
    } else if (isTable(value)) {
      this.#given.add(section.name);
      this.readSection(section.name, innerPath, value);
    } else {
      this.#refuse(section.name, innerPath, Array.isArray(value)
        ? `is one section, written ${headOf(section)}` : `is a section, written ${headOf(section)}, not ${
          showValue(value)}`);
      if (section.kind === 'table') this.#values[section.name] = this.#standIns(section.name);
    }
  }

  #readEntries(section: ConfigSection, path: string, value: unknown): unknown[] {
    const most = this.#table.entriesMax[section.name] ?? 1;
    if (!Array.isArray(value) || !value.every(isTable)) {
      this.#refuse(section.name, path, `is a list of sections, each written ${headOf(section)}`);
      return [];
    }
    if (value.length > most) {
      this.#refuse(section.name, path, `is there ${value.length} times; ${most} are the most`);
      return [];
    }
    this.#given.add(section.name);
    return value.map((entry, i) => this.readSection(section.name, `${path}[${i + 1}]`, entry as TomlTable));
  }

  #standIns(name: string): Record<string, unknown> {
    const { keys } = this.#shapes.get(name) as SectionShape;
    return Object.fromEntries(keys.map((key) => [key.name, key.byDefault ?? key.example]));
  }

  #refuseUnknown(section: string, path: string, name: string, value: unknown): void {
    const isSection = isTable(value) || (Array.isArray(value) && value.length > 0 && value.every(isTable));
    const text = isSection ? describeUnknownSection(this.#table, join(section, name))
      : describeUnknownKey(this.#table, section, name);
    this.#refuse(path, path, text, ': ');
  }

  #refuse(key: string, path: string, text: string, between = ' '): void {
    this.#faulty.add(key);
    this.#faults.push({ path, text: `${between}${text}` });
  }
}

function join(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`;
}

/** Names of keys come from the document: what is no plain word is shown in quotes. */
function showName(name: string): string {
  return /^[\w-]{1,64}$/.test(name) ? name : showValue(name);
}

function outerOf(name: string): string {
  return name.includes('.') ? name.slice(0, name.lastIndexOf('.')) : '';
}

function lastOf(name: string): string {
  return name.slice(name.lastIndexOf('.') + 1);
}
