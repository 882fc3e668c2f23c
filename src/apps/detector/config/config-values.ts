/** Values of the detector's config, by its table of keys: types, and how a document becomes them. */
import type { TomlTable } from 'smol-toml';
import { readValues as readTableValues, type ReadValues, type TableValues } from '#service';
import { configTable, type configSections, type KeyRow } from './config-keys.ts';

/** Values of all sections, by name; those of lists are lists, optional ones may be missing. */
export type ConfigValues = TableValues<(typeof configSections)[number], KeyRow>;

/** The values of a document. @param document  as parsed; read only */
export function readValues(document: TomlTable): ReadValues<ConfigValues> {
  return readTableValues<ConfigValues>(configTable, document);
}
