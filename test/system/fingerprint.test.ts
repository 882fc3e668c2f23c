/**
 * Fingerprints of the shared captures, against a library of other devices: flows that training never saw show them,
 * also where clouds rotate addresses, and devices that are not in the library hardly do.
 */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import {
  createAcceptFlows, createLibraryUnit, fitClassifier, learnHomeEvidence, TrainingFlows,
} from '#classifier/train';
import { describeUnsoundFingerprint, FingerprintMatcher, noToken, type Fingerprint } from '#evidence';
import { findCatalog, needsOf, type Catalog, type FlowNeeds } from '#feature';
import { copyRows, createFlowBatch, type FlowBatch } from '#flow';
import { buildDataset, readDataset, type Dataset } from '#lab';
import type { Classifier } from '#score';
import { openNamer } from '../../src/apps/cli/open-namer.ts';
import { missing, sharedData } from './shared-data.ts';

const skip = missing({ data: ['captures'] });
/** Recorded without a pause for a week; the lock and the bridge talk to clouds that rotate addresses. */
const deviceModels =
  ['hub.Lockly.Secure_Link', 'hub.Sifely.WiFi_Gateway', 'hub.U_tec.Ultraloq_Bridge', 'lock.Schlage.Encode'] as const;
let folder = '';
let dataset: Dataset;
const flowsOf = new Map<string, FlowBatch>();

before(async () => {
  if (skip !== false) return;
  folder = mkdtempSync(join(tmpdir(), 'natlens-fingerprint-'));
  symlinkSync(join(sharedData, 'captures'), join(folder, 'captures'));
  const inventory = join(sharedData, 'captures/inventory.csv');
  assert.ok(existsSync(inventory));
  writeFileSync(join(folder, 'inventory.csv'), `# Public captures.\n${readFileSync(inventory, 'utf8')}`);
  await buildDataset({
    inventory: join(folder, 'inventory.csv'), out: join(folder, 'lab'), name: 'shared', natlensVersion: '0', openNamer,
    flows: [], l7Source: 'prefix', activeTimeoutMs: 120_000, idleTimeoutMs: 60_000,
  });
  dataset = await readDataset(join(folder, 'lab'));
  for (const device of dataset.manifest.devices) flowsOf.set(device.device, await dataset.load(device));
});
after(() => rmSync(folder, { recursive: true, force: true }));

function cut(flows: FlowBatch, first: number, end: number): FlowBatch {
  const out = createFlowBatch(Math.max(1, end - first), flows.dictionaries);
  copyRows(flows, first, end, out);
  return out;
}

/** [row]: does the flow show a token? */
function showing(fingerprint: Fingerprint, classifier: Classifier, batch: FlowBatch): boolean[] {
  const tokens = new Uint32Array(batch.rowCount);
  new FingerprintMatcher([fingerprint]).match(batch, [createAcceptFlows(classifier)(batch)], [tokens]);
  return Array.from(tokens, (token) => token !== noToken);
}

for (const deviceModel of deviceModels) {
  const title = `the fingerprint of ${deviceModel} is shown by its later flows, and hardly by unknown devices`;
  test(title, { skip }, (context) => {
    const { devices } = dataset.manifest;
    const own = devices.filter((device) => device.deviceModel === deviceModel);
    const [unit] = own;
    assert.ok(unit !== undefined && own.length === 1);
    const flows = flowsOf.get(unit.device) as FlowBatch;
    const trained = new TrainingFlows(findCatalog('portable') as Catalog, { deviceModel });
    trained.add(flows);
    const { classifier } = fitClassifier(trained.split(), {
      deviceModel, needs: needsOf(unit.made) as FlowNeeds, algorithm: 'chow-liu-tree', seed: 1, natlensVersion: '0',
    });
    // Device models by name in turn: half of the others are the library, half are unknown to it.
    const others = devices.filter((device) => device.deviceModel !== deviceModel);
    const models = [...new Set(others.map((device) => device.deviceModel))].sort();
    const isKnown = (name: string): boolean => models.indexOf(name) % 2 === 0;
    const library = others.filter((device) => isKnown(device.deviceModel)).map((device) => createLibraryUnit({
      device: device.device, deviceModel: device.deviceModel, flows: [flowsOf.get(device.device) as FlowBatch],
    }));
    const { train, validation } = unit;
    const { fingerprint } = learnHomeEvidence(classifier, {
      training: [cut(flows, 0, train)], validation: [cut(flows, train, train + validation)],
    }, library);
    assert.equal(describeUnsoundFingerprint(fingerprint), undefined);
    const later = showing(fingerprint, classifier, cut(flows, train + validation, flows.rowCount));
    const shown = later.filter(Boolean).length / later.length;
    const unknown = others.filter((device) => !isKnown(device.deviceModel)).map(({ device }) => {
      const rows = showing(fingerprint, classifier, flowsOf.get(device) as FlowBatch);
      return { device, shown: rows.filter(Boolean).length / rows.length };
    }).sort((a, b) => b.shown - a.shown);
    context.diagnostic(`${deviceModel}: ${fingerprint.tokens.length} tokens, shown by ${(100 * shown).toFixed(1)} % ` +
      `of its later flows; of unknown devices most by ${unknown[0]?.device}, ${unknown[0]?.shown.toFixed(3)}`);
    assert.ok(shown >= 0.95, `${shown} of its later flows show a token`);
    const strangers = unknown.filter((device) => device.shown > 0.02);
    assert.ok(strangers.length <= 1, JSON.stringify(strangers));
    // Exact octets of both directions are what lasts, whatever address the cloud has given today.
    assert.ok(fingerprint.tokens.some(({ family, recall }) => family === 'name-octets' && recall >= 0.5));
  });
}
