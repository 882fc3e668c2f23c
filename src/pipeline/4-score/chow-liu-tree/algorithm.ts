/** The Chow–Liu tree as an entry of the registry. */
import type { Algorithm } from '../detector.ts';
import type { FittedTree } from './chow-liu-tree.ts';
import { readTree, writeTree } from './tree-bytes.ts';

export const chowLiuTree: Algorithm<FittedTree> = {
  name: 'chow-liu-tree',
  version: 1,
  meaning: 'how probable the features of a flow are together, each given one other',
  write: writeTree,
  read: readTree,
};
