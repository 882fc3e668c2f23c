/**
 * What a table of config keys is: sections, keys with kind, default, meaning and example. Each app has one table, which
 * drives reading, `--check`, its page and its shipped config.
 */
import type { ValueKind } from './config-kinds.ts';

/** `table`: always there; `optional`: what it is about is off without it; `list`: `[[…]]`, any number of times. */
export type SectionKind = 'table' | 'optional' | 'list';

export type ConfigSection = {
  /** As in brackets; empty: the keys above all sections. */
  readonly name: string;
  readonly kind: SectionKind;
  readonly meaning: string;
};

/** `default`: has one; `required`: must be given where its section is; `optional`: without it, nothing. */
export type Presence = 'default' | 'required' | 'optional';

export type ConfigKey<S extends string = string, N extends string = string, T = unknown,
  P extends Presence = Presence> = {
  readonly section: S;
  readonly name: N;
  readonly kind: ValueKind<T>;
  readonly presence: P;
  readonly byDefault: T | undefined;
  /** What holds without the key where no value says it. */
  readonly without: string;
  /** Sentences without a full stop at the end. */
  readonly meaning: string;
  readonly example: T;
};

type Free<T> = NoInfer<T>;

/** How the rows of one section are written. */
export type KeyRows<S extends string> = {
  readonly withDefault: <N extends string, T>(
    name: N, kind: ValueKind<T>, byDefault: Free<T>, meaning: string, example?: Free<T>,
  ) => ConfigKey<S, N, T, 'default'>;
  readonly required: <N extends string, T>(
    name: N, kind: ValueKind<T>, meaning: string, example: Free<T>,
  ) => ConfigKey<S, N, T, 'required'>;
  /** @param without  what holds without the key */
  readonly optional: <N extends string, T>(
    name: N, kind: ValueKind<T>, without: string, meaning: string, example: Free<T>,
  ) => ConfigKey<S, N, T, 'optional'>;
};

/** Rows of one section of a table. */
export function keyRowsOf<const S extends string>(section: S): KeyRows<S> {
  return {
    withDefault: (name, kind, byDefault, meaning, example = byDefault) =>
      ({ section, name, kind, presence: 'default', byDefault, without: '', meaning, example }),
    required: (name, kind, meaning, example) =>
      ({ section, name, kind, presence: 'required', byDefault: undefined, without: '', meaning, example }),
    optional: (name, kind, without, meaning, example) =>
      ({ section, name, kind, presence: 'optional', byDefault: undefined, without, meaning, example }),
  };
}

/** All that may be in a config. */
export type ConfigTable = {
  readonly sections: readonly ConfigSection[];
  readonly keys: readonly ConfigKey[];
  /** Entries of lists of sections, by name; 1 where it is not said. */
  readonly entriesMax: Readonly<Partial<Record<string, number>>>;
};

/** `input.listen`; keys above all sections have no section before them. */
export function pathOf({ section, name }: { section: string; name: string }): string {
  return section === '' ? name : `${section}.${name}`;
}

/** `[input]`, `[[home]]`; how a section is written. */
export function headOf({ name, kind }: ConfigSection): string {
  return kind === 'list' ? `[[${name}]]` : `[${name}]`;
}
