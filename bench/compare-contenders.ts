/** Who takes part in `compare-detectors.ts`: detector, catalog, options, and whether new categories are rejected. */
import { catalogs, type Catalog } from '#feature';
import type { Trainer } from '#score';
import { trainers } from '#score/fit';

export type Contender = {
  readonly name: string;
  readonly trainer: Trainer;
  readonly catalog: Catalog;
  readonly options: object;
  /** Flows with a category of a stable feature that training never showed are rejected, whatever the detector says. */
  readonly rejectsUnseen: boolean;
};

/** Options beside the defaults: what shows how much they matter. */
const variants: Readonly<Partial<Record<string, readonly object[]>>> = {
  'chow-liu-tree': [{ binCount: 8 }, { binCount: 32 }, { aloneRows: 1 }, { aloneRows: 16 }],
};

function describe(options: object): string {
  return Object.entries(options).map(([name, value]) => ` ${name}=${value}`).join('');
}

/** Every detector with every catalog, with and without rejection. @param withVariants  with other options too */
export function listContenders(withVariants: boolean): Contender[] {
  return [...trainers.values()].flatMap((trainer) => catalogs.flatMap((catalog) =>
    [{}, ...withVariants ? variants[trainer.name] ?? [] : []].flatMap((options) =>
      [false, true].map((rejectsUnseen) => ({
        name: `${trainer.name}${describe(options)}, ${catalog.name}${rejectsUnseen ? ' + reject unseen' : ''}`,
        trainer, catalog, options, rejectsUnseen,
      })))));
}
