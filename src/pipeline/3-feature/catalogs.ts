/** Every catalog of features there is. A classifier names its own; one of another version is not the same. */
import { natlensCatalog, portableCatalog } from './catalogs/natlens.ts';
import { paperCatalog } from './catalogs/paper.ts';
import type { Catalog } from './feature-matrix.ts';

/** By name; each in its latest version. */
export const catalogs: readonly Catalog[] = [paperCatalog, portableCatalog, natlensCatalog];

/**
 * A catalog by name.
 *
 * @param version  the one that is asked for; undefined: the latest
 * @returns undefined when there is none of that name and version
 */
export function findCatalog(name: string, version?: number): Catalog | undefined {
  return catalogs.find((catalog) => catalog.name === name && (version === undefined || catalog.version === version));
}
