/**
 * The order of the house, stated once: which folder is which room, by which doors it is entered, and who may enter.
 * A room may import rooms that stand before it; `test/tidy.test.ts` says which import runs backwards.
 */

export type Room = {
  readonly name: string;
  readonly folder: string;
  /** What other rooms write. A room without doors is imported by nobody. */
  readonly doors: readonly string[];
  /** A room imports rooms of a smaller level only. */
  readonly level: number;
};

const classifierLevel = 10;
const simLevel = 10;
const labLevel = 20;
const serviceLevel = 29;
const appsLevel = 30;
const commandLevel = 31;

/** The rooms. Where one folder lies in another, the inner one is a room of its own. */
export const rooms: readonly Room[] = [
  { name: 'base', folder: 'src/base', doors: ['#base'], level: 0 },
  { name: 'capture', folder: 'src/pipeline/1-capture', doors: ['#capture', '#capture/live', '#capture/listen'],
    level: 1 },
  { name: 'flow', folder: 'src/pipeline/2-flow', doors: ['#flow', '#flow/ndpi'], level: 2 },
  { name: 'flow/files', folder: 'src/pipeline/2-flow/files', doors: ['#flow/files'], level: 2.5 },
  { name: 'feature', folder: 'src/pipeline/3-feature', doors: ['#feature', '#feature/fit'], level: 3 },
  { name: 'score', folder: 'src/pipeline/4-score', doors: ['#score', '#score/fit', '#score/parallel'], level: 4 },
  { name: 'evidence', folder: 'src/pipeline/5-evidence', doors: ['#evidence'], level: 5 },
  { name: 'verdict', folder: 'src/pipeline/6-verdict', doors: ['#verdict'], level: 6 },
  { name: 'action', folder: 'src/pipeline/7-action', doors: ['#action'], level: 7 },
  ...['train', 'artifact', 'sign', 'publish', 'verify', 'update'].map((part) => ({
    name: `classifier/${part}`, folder: `src/classifier/${part}`,
    // Models for other programs have a door of their own, so that who reads artifacts does not load what writes those.
    doors: [`#classifier/${part}`, ...part === 'artifact' ? ['#classifier/onnx'] : []],
    level: classifierLevel,
  })),
  { name: 'sim', folder: 'sim', doors: ['#sim'], level: simLevel },
  { name: 'lab', folder: 'src/lab', doors: ['#lab'], level: labLevel },
  // What apps that run for years have in common: they do not import each other.
  { name: 'apps/service', folder: 'src/apps/service', doors: ['#service', '#service/metrics'], level: serviceLevel },
  // The command loads the other apps by their doors.
  { name: 'apps/cli', folder: 'src/apps/cli', doors: [], level: commandLevel },
  ...['collector', 'probe', 'detector', 'hub'].map((part) => ({
    name: `apps/${part}`, folder: `src/apps/${part}`, doors: [`#${part}`], level: appsLevel,
  })),
];

/** Rooms of the classifier walk hand artifacts to each other; in this order only. */
const classifierOrder =
  ['artifact', 'verify', 'train', 'sign', 'update', 'publish'].map((part) => `classifier/${part}`);

/** The innermost room that a path lies in, or undefined. */
export function roomOf(path: string): Room | undefined {
  return rooms.filter(({ folder }) => path.startsWith(`${folder}/`)).sort(
    (a, b) => b.folder.length - a.folder.length)[0];
}

/** The room that a door leads to, or undefined when there is no such door. */
export function roomBehind(door: string): Room | undefined {
  return rooms.find(({ doors }) => doors.includes(door));
}

/** May code of one room import another? Both are different rooms. */
export function mayImport(path: string, from: Room, to: Room): boolean {
  if (to.name === 'sim') return /^src\/apps\/cli\/(?:simulate|demo)[^/]*\.ts$/.test(path);
  const [fromOrder, toOrder] = [classifierOrder.indexOf(from.name), classifierOrder.indexOf(to.name)];
  if (fromOrder >= 0 && toOrder >= 0) return toOrder < fromOrder;
  return to.level < from.level;
}

/**
 * Folders, and a file, whose code may open files, unpack them or start programs; the others are functions of their
 * input.
 */
export const foldersWithFiles: readonly string[] = [
  'src/pipeline/1-capture', 'src/pipeline/2-flow/files', 'src/pipeline/2-flow/l7', 'src/pipeline/7-action',
  'src/classifier/publish', 'src/classifier/update', 'src/apps', 'src/lab', 'sim',
  // Reads what is shipped beside the code: kernels, tables, templates.
  'src/base/shipped-file.ts',
];

/** Folders whose code may open sockets. */
export const foldersWithSockets: readonly string[] = [
  'src/pipeline/1-capture', 'src/pipeline/7-action', 'src/classifier/publish', 'src/classifier/update', 'src/apps',
    'sim',
];

/** Folders whose code may start threads: what receives, the pool that scores on several cores, and who uses it. */
export const foldersWithThreads: readonly string[] = [
  'src/pipeline/1-capture/live', 'src/pipeline/4-score/parallel', 'src/apps', 'src/lab',
];
