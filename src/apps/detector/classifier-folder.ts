/**
 * The classifiers of a detector: `.nlc` files of its folder, and of the folder of second opinions. Looked at again when
 * the system tells of a change, and now and then; a file that is bad, or only half there, is refused while the others
 * go on, and the last good classifier of a file stays until the file is gone or good again.
 */
import { type BigIntStats, watch, type FSWatcher } from 'node:fs';
import { open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describeError, limits, TrustError, type TrustErrorCode } from '#base';
import { packFingerprint, readArtifact, type ShippedClassifier } from '#classifier/artifact';
import { checkNeeds } from '#feature';
import type { FlowSetInfo } from '#flow';
import { describeOtherWindows } from '#verdict';
import type { DetectorConfig } from './config/detector-config.ts';

/** 1: decides; 2: a second opinion. */
export type Stage = 1 | 2;

export type LoadedClassifier = ShippedClassifier & {
  /** Path of the file. */
  readonly file: string;
  /** SHA-256 of its content, hexadecimal. */
  readonly digest: string;
  readonly stage: Stage;
};

export type RefusalCode =
  | TrustErrorCode
  /** The system does not let us read it. */
  | 'unreadable'
  /** More bytes than a classifier may have, or than all may have together. */
  | 'too-large'
  /** Beyond the number of classifiers that a detector holds. */
  | 'too-many'
  /** It says of itself that it must not be used. */
  | 'unfit'
  /** It was trained with flows that are made otherwise. */
  | 'other-flows'
  /** It was calibrated with other windows of evidence than the config's. */
  | 'other-windows'
  /** Another file has a classifier of the device model, and comes later by name; or too many versions do. */
  | 'superseded'
  /** The very classifier decides already: it is no second opinion on itself. */
  | 'same-as-first';

export type RefusedFile = {
  readonly file: string;
  readonly code: RefusalCode;
  /** One sentence. */
  readonly detail: string;
  /** An earlier content of the file is in use still. */
  readonly keepsLast: boolean;
};

export type FolderState = {
  /** Those that decide by file name, then the second opinions by file name. */
  readonly classifiers: readonly LoadedClassifier[];
  readonly refused: readonly RefusedFile[];
  /** Something is other than after the look before this one. */
  readonly changed: boolean;
};

export type ClassifierFolderOptions = {
  readonly folders: readonly { readonly path: string; readonly stage: Stage }[];
  /** How the detector's flows are made. */
  readonly flows: FlowSetInfo;
  readonly allowUnfit: boolean;
  /** Windows that calibrations must be of; undefined: none decides. */
  readonly windows: { readonly windowMs: number; readonly bucketMs: number } | undefined;
  readonly filesMax: number;
  readonly fileBytesMax: number;
  /** Of all classifiers together. */
  readonly bytesMax: number;
  /** What changes when a file does, as far as the system tells; tests have a clock that stands still. */
  readonly markOf: (found: BigIntStats) => string;
};

export const classifierFolderDefaults: Omit<ClassifierFolderOptions, 'folders' | 'flows'> = {
  allowUnfit: false, windows: undefined, filesMax: limits.detectorClassifiersMax, fileBytesMax: limits.artifactBytesMax,
  bytesMax: limits.classifierFolderBytesMax,
  markOf: ({ dev, ino, size, mtimeNs, ctimeNs }) => [dev, ino, size, mtimeNs, ctimeNs].join(' '),
};

/** What a detector's config says of its flows. They are biflows always: what is not joined here comes joined. */
export function flowsOf({ l7, activeTimeoutMs, idleTimeoutMs }: DetectorConfig['input']): FlowSetInfo {
  return { origin: 'detector', l7Source: l7, l7Version: '', activeTimeoutMs, idleTimeoutMs, isBiflow: true };
}

/** The folders of a config. */
export function folderOptionsOf(
  { classifiers, ladder, input, evidence, verdict }: DetectorConfig,
): ClassifierFolderOptions {
  const { verify } = ladder;
  const second = verify.isOn && verify.classifierFolder !== undefined
    ? [{ path: verify.classifierFolder, stage: 2 as const }] : [];
  return {
    ...classifierFolderDefaults, allowUnfit: classifiers.allowUnfit, flows: flowsOf(input),
    windows: verdict.policy === 'calibrated' ? evidence : undefined,
    folders: [{ path: classifiers.folder, stage: 1 }, ...second],
  };
}

/** A file as it was found when it was last read. */
type KnownFile = {
  readonly file: string;
  readonly stage: Stage;
  /** Changes when the file does, but for changes within one tick of the file system's clock. */
  readonly mark: string;
  /** Looks that found this mark. A file is read at the first two: the second sees what the tick of the first hid. */
  readonly looks: number;
  /** The last content that was whole and sound. */
  readonly good: (Omit<LoadedClassifier, 'file' | 'stage'> & { readonly sizeBytes: number }) | undefined;
  /** What is wrong with the content of now. */
  readonly fault: Omit<RefusedFile, 'keepsLast'> | undefined;
};

/** After a change, so long is waited for more of them: whoever copies a file changes it many times. */
const settleMs = 200;

export class ClassifierFolder {
  readonly #options: ClassifierFolderOptions;
  #known = new Map<string, KnownFile>();
  #folderFaults: RefusedFile[] = [];
  #shape = '';
  #look: Promise<FolderState> | undefined;
  #watchers: FSWatcher[] = [];
  #pollTimer: NodeJS.Timeout | undefined;
  #settleTimer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(options: Pick<ClassifierFolderOptions, 'folders' | 'flows'> & Partial<ClassifierFolderOptions>) {
    this.#options = { ...classifierFolderDefaults, ...options };
  }

  /** Looks at the folders now. Never throws for what is in them. One look at a time. */
  async poll(): Promise<FolderState> {
    // Whoever asks during a look wants to know what is there after it.
    const before = this.#look;
    const look = (async () => {
      await before;
      await this.#readFolders();
      return this.#settle();
    })();
    this.#look = look;
    return await look;
  }

  /**
   * Looks again when something changes, and every `pollMs` in case that the system does not tell.
   *
   * @param onChange  told only when classifiers or refusals are other than before
   */
  watch(onChange: (state: FolderState) => void, { pollMs }: { readonly pollMs: number }): void {
    const lookAgain = (): void => {
      void (async () => {
        const state = await this.poll();
        if (state.changed && !this.#isClosed) onChange(state);
      })();
    };
    for (const { path } of this.#options.folders) this.#watchFolder(path, lookAgain);
    this.#pollTimer = setInterval(lookAgain, pollMs);
    this.#pollTimer.unref();
  }

  /** Ends watching. */
  close(): void {
    this.#isClosed = true;
    for (const watcher of this.#watchers) watcher.close();
    this.#watchers = [];
    clearInterval(this.#pollTimer);
    clearTimeout(this.#settleTimer);
  }

  #watchFolder(path: string, lookAgain: () => void): void {
    try {
      const watcher = watch(path, { persistent: false }, () => {
        clearTimeout(this.#settleTimer);
        if (this.#isClosed) return;
        this.#settleTimer = setTimeout(lookAgain, settleMs);
        this.#settleTimer.unref();
      });
      watcher.on('error', () => watcher.close());
      this.#watchers.push(watcher);
    } catch {
      // The folder is not there, or the system has no room for watchers: polling goes on.
    }
  }

  async #readFolders(): Promise<void> {
    const found = new Map<string, KnownFile>();
    let heldBytes = 0;
    this.#folderFaults = [];
    for (const { path, stage } of this.#options.folders) {
      const files = await this.#listFolder(path);
      // What cannot be looked at is not known to be gone.
      const isGone = files !== undefined;
      if (!isGone) for (const [file, known] of this.#known) if (known.stage === stage) found.set(file, known);
      const room = Math.max(0, this.#options.filesMax - found.size);
      if (isGone && files.length > room) {
        const detail = `A detector looks at ${this.#options.filesMax} classifiers; ${files.length - room} files of ` +
          'the folder, the last by name, are left out.';
        this.#folderFaults.push({ file: path, code: 'too-many', detail, keepsLast: false });
      }
      for (const file of files?.slice(0, room) ?? []) {
        const known = await this.#readFile(file, stage, this.#options.bytesMax - heldBytes);
        if (known !== undefined) found.set(file, known);
        heldBytes += known?.good?.sizeBytes ?? 0;
      }
    }
    this.#known = found;
  }

  /** Paths of the classifiers in a folder, by name; undefined when it cannot be read. */
  async #listFolder(path: string): Promise<string[] | undefined> {
    try {
      return (await readdir(path)).filter((name) => name.endsWith('.nlc') && !name.startsWith('.')).sort()
        .map((name) => join(path, name));
    } catch (thrown) {
      const detail = `The folder cannot be read: ${describeError(thrown)}.`;
      this.#folderFaults.push({ file: path, code: 'unreadable', detail, keepsLast: true });
      return undefined;
    }
  }

  /** What a file is now; undefined when it is gone. @param roomBytes  that it may have beside the others */
  async #readFile(file: string, stage: Stage, roomBytes: number): Promise<KnownFile | undefined> {
    const before = this.#known.get(file);
    const found = await statFile(file);
    if (found === undefined) return undefined;
    const mark = typeof found === 'string' ? found : this.#options.markOf(found);
    const looks = before?.mark === mark ? before.looks + 1 : 1;
    // Whether there is room is another question at each look.
    if (before !== undefined && looks > 2 && before.fault?.code !== 'too-large') return before;
    const bad = (code: RefusalCode, detail: string): KnownFile =>
      ({ file, stage, mark, looks, good: before?.good, fault: { file, code, detail } });
    if (typeof found === 'string') return bad('unreadable', `The file cannot be looked at: ${found}.`);
    if (!found.isFile()) return bad('artifact-unknown-kind', 'This is no file.');
    const { fileBytesMax, bytesMax } = this.#options;
    if (found.size > fileBytesMax) {
      return bad('too-large', `The file has ${found.size} bytes; a classifier has at most ${fileBytesMax}.`);
    }
    if (found.size > roomBytes) {
      return bad('too-large', `All classifiers together have at most ${bytesMax} bytes, and with this one more.`);
    }
    try {
      const bytes = await readBounded(file, Number(found.size));
      const { classifier, fingerprint, secondStage, calibration, digest } = readArtifact(bytes);
      // The same content again, such as after a copy: the one that is in use stays.
      const good = before?.good?.digest === digest ? before.good
        : {
            classifier, secondStage, calibration, digest, sizeBytes: bytes.length,
            fingerprint: fingerprint === undefined ? undefined : packFingerprint(fingerprint),
          };
      return { file, stage, mark, looks, good, fault: undefined };
    } catch (thrown) {
      // A file that is being written is cut until it is whole, which changes its mark.
      if (thrown instanceof TrustError) return bad(thrown.code, thrown.message);
      if (!(thrown instanceof Error) || !('syscall' in thrown)) throw thrown;
      return bad('unreadable', `The file cannot be read: ${describeError(thrown)}.`);
    }
  }

  /** Decides which of the known classifiers are used. */
  #settle(): FolderState {
    const refused: RefusedFile[] = [...this.#folderFaults];
    const usable: LoadedClassifier[] = [];
    for (const { file, stage, good, fault } of this.#known.values()) {
      if (fault !== undefined) refused.push({ ...fault, keepsLast: good !== undefined });
      if (good === undefined) continue;
      const misfit = this.#describeMisfit(good);
      const { sizeBytes: _, ...shipped } = good;
      if (misfit === undefined) usable.push({ file, stage, ...shipped });
      else refused.push({ file, ...misfit, keepsLast: false });
    }
    const classifiers = refuseRepeated(usable, refused, this.#options.windows !== undefined);
    const shape = JSON.stringify([classifiers.map(({ file, digest, stage }) => [file, digest, stage]), refused]);
    const changed = shape !== this.#shape;
    this.#shape = shape;
    return { classifiers, refused, changed };
  }

  #describeMisfit(
    { classifier: { fitness, needs }, calibration }: ShippedClassifier,
  ): { code: RefusalCode; detail: string } | undefined {
    if (!fitness.isFit && !this.#options.allowUnfit) {
      const details = fitness.reasons.map(({ code, detail }) => `${code}: ${detail}`).join('; ');
      return { code: 'unfit', detail: `The classifier says that it is unfit (${details}).` };
    }
    const detail = checkNeeds(needs, this.#options.flows);
    if (detail !== undefined) return { code: 'other-flows', detail };
    const { windows } = this.#options;
    const other = windows === undefined ? undefined : describeOtherWindows(calibration, windows);
    return other === undefined ? undefined : { code: 'other-windows', detail: other };
  }
}

/**
 * Of one device model and stage the last by file name, and no second opinion that decides already. Where calibrations
 * decide, several that carry one stand side by side, as of several versions of the firmware: they share one budget.
 */
function refuseRepeated(usable: readonly LoadedClassifier[], refused: RefusedFile[], isCalibrated: boolean):
LoadedClassifier[] {
  const keyOf = ({ stage, classifier }: LoadedClassifier): string => `${stage} ${classifier.deviceModel}`;
  const kept = new Set<LoadedClassifier>();
  const last = new Map<string, LoadedClassifier>();
  for (const [key, group] of Map.groupBy(usable, keyOf)) {
    const winner = group.at(-1) as LoadedClassifier;
    const isVersion = ({ stage, calibration }: LoadedClassifier): boolean =>
      isCalibrated && stage === 1 && calibration !== undefined;
    last.set(key, winner);
    kept.add(winner);
    // The same content under two names is one version.
    if (isVersion(winner)) {
      const versions = new Map(group.filter(isVersion).map((loaded) => [loaded.digest, loaded]));
      for (const version of [...versions.values()].slice(-limits.classifierVersionsMax)) kept.add(version);
    }
  }
  const deciding = new Set([...kept].filter(({ stage }) => stage === 1).map(({ digest }) => digest));
  return usable.filter((loaded) => {
    const { file, stage, digest, classifier } = loaded;
    if (!kept.has(loaded)) {
      const winner = last.get(keyOf(loaded));
      const detail = `${winner?.file} has a classifier of ${classifier.deviceModel}, too, and is the later by name.`;
      refused.push({ file, code: 'superseded', detail, keepsLast: false });
      return false;
    }
    if (stage === 2 && deciding.has(digest)) {
      const detail = 'The same classifier decides already: it is no second opinion on itself.';
      refused.push({ file, code: 'same-as-first', detail, keepsLast: false });
      return false;
    }
    return true;
  });
}

/** Of a file; a sentence's part when the system does not say; undefined when there is none. */
async function statFile(file: string): Promise<BigIntStats | string | undefined> {
  try {
    return await stat(file, { bigint: true });
  } catch (thrown) {
    return (thrown as NodeJS.ErrnoException).code === 'ENOENT' ? undefined : describeError(thrown);
  }
}

/** At most the bytes that a file was found to have: one that grows meanwhile is seen to be cut or of another size. */
async function readBounded(file: string, sizeBytes: number): Promise<Uint8Array> {
  const handle = await open(file, 'r');
  try {
    const bytes = new Uint8Array(sizeBytes);
    let length = 0;
    while (length < sizeBytes) {
      const { bytesRead } = await handle.read(bytes, length, sizeBytes - length, length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    return bytes.subarray(0, length);
  } finally {
    await handle.close();
  }
}
