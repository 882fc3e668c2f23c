/** `natlens classifier`: looks into an artifact, verifies it, exports it for other runtimes. Runs nothing of it. */
import type { Command } from 'commander';
import { formatBytes, formatCount, formatTable, OperatorError, TrustError } from '#base';
import { readArtifact, type Artifact } from '#classifier/artifact';
import { exportOnnx } from '#classifier/onnx';
import { findCatalog, oneHotColumnCount } from '#feature';
import { loadArtifact, readArtifactFile, writeWholeFile } from './classifier-files.ts';
import { describeParts, formatParts, formatTokens } from './classifier-parts.ts';
import type { ReportExit } from './main.ts';

type PrintOptions = { readonly json?: boolean };

/** Gives the verb its subcommands. */
export function configureClassifier(command: Command, reportExit: ReportExit): void {
  command
    .description('Works with classifiers (.nlc), as natlens train writes them.')
    .addHelpText('after', '\nExamples:\n' +
      '  natlens classifier inspect webcam.nlc\n' +
      '  natlens classifier verify webcam.nlc plug.nlc\n' +
      '  natlens classifier export webcam.nlc --onnx webcam.onnx\n');
  configureInspect(command);
  configureVerify(command, reportExit);
  configureExport(command);
}

function configureInspect(command: Command): void {
  command.command('inspect')
    .description('Tells everything about a classifier: what it needs, where it comes from, thresholds, sizes, what ' +
      'tells homes with the device model, and what is promised about false alarms.')
    .argument('<file>', 'artifact (.nlc)')
    .option('--json', 'print it as JSON')
    .addHelpText('after', '\nExample:\n  natlens classifier inspect webcam.nlc --json\n')
    .action(async (file: string, options: PrintOptions) => {
      const description = describeArtifact(file, await loadArtifact(file));
      process.stdout.write(options.json === true
        ? `${JSON.stringify(description, null, 2)}\n` : `${formatDescription(description)}\n`);
    });
}

function configureVerify(command: Command, reportExit: ReportExit): void {
  command.command('verify')
    .description('Checks artifacts whole: header, digest, content. Exit code 1 when one is refused. It does not say who ' +
      'made them.')
    .argument('<files...>', 'artifacts (.nlc)')
    .option('--json', 'print the results as JSON')
    .addHelpText('after', '\nExample:\n  natlens classifier verify *.nlc\n')
    .action(async (files: string[], options: PrintOptions) => {
      const results = [];
      for (const file of files) results.push({ file, ...verifyBytes(await readArtifactFile(file)) });
      const lines = results.map(({ file, isSound, code, detail }) =>
        isSound ? `${file}: sound${detail}` : `${file}: REFUSED (${code}): ${detail}`);
      process.stdout.write(options.json === true ? `${JSON.stringify(results, null, 2)}\n` : `${lines.join('\n')}\n`);
      if (results.some(({ isSound }) => !isSound)) reportExit(1);
    });
}

/** An unfit classifier is sound: whether it may be used is another question, which scoring asks. */
function verifyBytes(bytes: Uint8Array): { isSound: boolean; isFit: boolean | null; code: string; detail: string } {
  try {
    const { isFit } = readArtifact(bytes).classifier.fitness;
    return { isSound: true, isFit, code: '', detail: isFit ? '' : ', but unfit' };
  } catch (thrown) {
    if (!(thrown instanceof TrustError)) throw thrown;
    return { isSound: false, isFit: null, code: thrown.code, detail: thrown.message };
  }
}

function configureExport(command: Command): void {
  command.command('export')
    .description('Writes a classifier for other runtimes: an isolation forest as a model in ONNX.')
    .argument('<file>', 'artifact (.nlc)')
    .requiredOption('--onnx <file>', 'model to write')
    .option('--json', 'print the result as JSON')
    .addHelpText('after', '\nExample:\n  natlens classifier export webcam.nlc --onnx webcam.onnx\n')
    .action(async (file: string, { onnx, json }: PrintOptions & { readonly onnx: string }) => {
      const { classifier } = await loadArtifact(file);
      const model = exportOnnx(classifier);
      if (typeof model === 'string') throw new OperatorError('bad-option', `${file}: ${model}`);
      await writeWholeFile(onnx, model);
      const columns = oneHotColumnCount(classifier.detector.layout);
      process.stdout.write(json === true
        ? `${JSON.stringify({ file, onnx, bytes: model.length, columns }, null, 2)}\n`
        : `${onnx}: ${formatBytes(model.length)}; in: rows, float32 [n × ${columns}]; ` +
          'out: anomalyScore, float32 [n × 1]\n');
    });
}

function describeArtifact(file: string, artifact: Artifact) {
  const { classifier, manifest, sizes, digest } = artifact;
  const { encoder, stableFeatures, thresholds, fitness, detector } = classifier;
  const catalog = findCatalog(encoder.catalog, encoder.catalogVersion);
  return {
    file, digest, sizes, ...manifest, isFit: fitness.isFit, columns: oneHotColumnCount(detector.layout),
    numericFeatures: encoder.numeric.map((range, i) => ({ name: catalog?.numeric[i]?.name ?? '', ...range })),
    categoricalFeatures: encoder.categories.map((categories, i) => ({
      name: catalog?.categorical[i]?.name ?? '', isStable: stableFeatures.includes(i), categories,
    })),
    thresholds: { default: thresholds.default, byPercentile: [...thresholds.byPercentile] },
    ...describeParts(artifact),
  };
}

/** Sections of an artifact, as people call them. */
const partNames = [
  ['manifest', 'manifest'], ['encoder', 'encoder'], ['detector', 'detector'], ['fingerprint', 'fingerprint'],
  ['secondStage', 'second stage'], ['calibration', 'calibration'],
] as const;

/** Categories that are shown to people; `--json` has all. */
const shownCategoriesMax = 8;

/** A category as text for a terminal: exporters may send any bytes as a name. */
function showCategory(category: string): string {
  return category === '' ? '(none)' : category.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '\u{fffd}');
}

function formatDescription(description: ReturnType<typeof describeArtifact>): string {
  const { provenance, needs, sizes, thresholds } = description;
  const timeout = (milliseconds: number): string => milliseconds === 0 ? 'not known' : `${milliseconds / 1_000} s`;
  const features = [
    ...description.numericFeatures.map(({ name, min, max }) => [name, 'number', `${min} … ${max}`]),
    ...description.categoricalFeatures.map(({ name, isStable, categories }) => [name, isStable ? 'stable' : 'category',
      `${categories.length}: ${categories.slice(0, shownCategoriesMax).map(showCategory).join(', ')}` +
      `${categories.length > shownCategoriesMax ? ', …' : ''}`]),
  ];
  const parameters = Object.entries(provenance.parameters).map(([name, value]) => `${name} ${value}`).join(', ');
  const facts = [
    ['device model', description.deviceModel],
    ['fitness', description.isFit ? 'fit'
      : description.unfit.map(({ code, detail }) => `${code}: ${detail}`).join(' ')],
    ['algorithm', `${description.algorithm.name} ${description.algorithm.version} (${parameters})`],
    ['catalog', `${description.catalog.name} ${description.catalog.version}, ${description.columns} columns one-hot`],
    ['flows needed', `${needs.isBiflow ? 'both directions in one record' : 'one record for each direction'}, ` +
      `names from ${needs.l7Source}, active timeout ${timeout(needs.activeTimeoutMs)}, ` +
      `idle ${timeout(needs.idleTimeoutMs)}`],
    ['trained on', `${formatCount(provenance.trainingFlows)} flows, validated on ` +
      `${formatCount(provenance.validationFlows)}, of ${formatCount(provenance.devices)} ${
        provenance.devices === 1 ? 'device' : 'devices'}; seed ${provenance.seed}`],
    ['training data', `SHA-256 ${provenance.trainingDigest}`],
    ['made by', `natlens ${provenance.natlensVersion}`],
    ...formatParts(description),
    ['size', `${formatCount(sizes.total)} bytes: ${partNames.filter(([part]) => sizes[part] > 0)
      .map(([part, name]) => `${name} ${formatCount(sizes[part])}`).join(', ')}`],
    ['digest', `SHA-256 ${description.digest}`],
    ['thresholds', `default ${thresholds.default.toFixed(6)}; percentiles ` +
      [0, 5, 10, 15, 20, 25, 30].map((p) => `${p}: ${(thresholds.byPercentile[p] as number).toFixed(6)}`).join(', ')],
  ];
  const width = Math.max(...facts.map(([name = '']) => name.length));
  return [
    facts.map(([name = '', text]) => `${name.padEnd(width)}  ${text}`).join('\n'),
    formatTokens(description),
    formatTable(['feature', 'kind', 'what training showed'], features),
  ].filter((part) => part !== '').join('\n\n');
}
