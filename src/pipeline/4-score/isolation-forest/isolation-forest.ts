/** The isolation forest of the 2019 paper as an entry of the registry. */
import type { Algorithm } from '../detector.ts';
import type { FittedForest } from './forest.ts';
import { readForest, writeForest } from './forest-bytes.ts';

export const isolationForest: Algorithm<FittedForest> = {
  name: 'isolation-forest',
  version: 1,
  meaning: 'random trees; the fewer splits part a flow from the others, the less it is like them',
  write: writeForest,
  read: readForest,
};
