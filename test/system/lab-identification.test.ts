/**
 * Identifications of the shared captures: kernels that are known of them (Linux that gives queries its ticks at 100 and
 * 250 a second, counters, small random steps, zero), which device models share; and homes of real devices, where chains
 * of queries follow the few hosts that count.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { buildDataset } from '#lab';
import { openNamer } from '../../src/apps/cli/open-namer.ts';
import {
  studyIdentification, type IdentificationStudy, type LinkRow, type SignatureRow,
} from '../../src/lab/baseline/identification-study.ts';
import { gatherIncrements } from '../../src/lab/baseline/ipid-increments.ts';
import { classify } from '../../src/lab/baseline/ipid-slope.ts';
import { loadWorld, type LabWorld } from '../../src/lab/homes/lab-world.ts';
import { missing, sharedData } from './shared-data.ts';

const skip = missing({ data: ['captures'] });
let folder = '';
let world: LabWorld;
let study: IdentificationStudy;

before(async () => {
  if (skip !== false) return;
  folder = mkdtempSync(join(tmpdir(), 'natlens-lab-identification-'));
  await buildDataset({
    inventory: join(sharedData, 'captures/inventory.csv'), out: join(folder, 'dataset'), name: 'captures',
    natlensVersion: '0', openNamer, flows: [], l7Source: 'prefix', activeTimeoutMs: 120_000, idleTimeoutMs: 60_000,
    traces: true,
  });
  world = await loadWorld(join(folder, 'dataset'));
  study = studyIdentification(world, { seed: 2, homes: 20 });
});
after(() => {
  if (folder !== '') rmSync(folder, { recursive: true });
});

function signatureOf(deviceModel: string): SignatureRow {
  const found = study.signatures.find((row) => row.deviceModel === deviceModel);
  assert.ok(found !== undefined, deviceModel);
  return found;
}

function rowOf(linker: LinkRow['linker'], hosts: LinkRow['hosts']): LinkRow {
  const found = study.links.find((row) => row.linker === linker && row.hosts === hosts);
  assert.ok(found !== undefined, JSON.stringify(study.links));
  return found;
}

const ticking: readonly (readonly [string, string, number])[] = [
  ['sensor.D_Link.DCH_S150', 'clock250', 250], ['sensor.D_Link.DCH_S160', 'clock250', 250],
  ['siren.D_Link.DCH_S220', 'clock250', 250], ['socket.D_Link.DSP_W215', 'clock250', 250],
  ['hub.D_Link.DCH_G020', 'clock250', 250], ['socket.TP_Link.HS100', 'clock250', 250],
  ['socket.TP_Link.HS110', 'clock250', 250], ['webcam.D_Link.DCS_932L', 'clock100', 100],
];

test('queries that follow the kernel\'s ticks do so exactly, on devices of several makers', { skip }, () => {
  for (const [deviceModel, idClass, slope] of ticking) {
    const found = signatureOf(deviceModel);
    assert.equal(found.idClass, idClass, JSON.stringify(found));
    assert.equal(found.basis, 'queries');
    assert.ok(Math.abs((found.slope ?? 0) - slope) < 0.05, JSON.stringify(found));
  }
  // Two plugs of one maker run 0.26 % slow, both alike.
  for (const deviceModel of ['socket.Edimax.SP_1101W', 'socket.Edimax.SP_2101W']) {
    const { idClass, slope } = signatureOf(deviceModel);
    assert.equal(idClass, 'clock250');
    assert.ok(Math.abs((slope ?? 0) - 249.35) < 0.1, `${deviceModel}: ${slope}`);
  }
});

test('counters, random steps, zero, and Linux by its packets', { skip }, () => {
  for (const deviceModel of ['hub.Philips.Hue_Bridge', 'hub.Lockly.Secure_Link', 'hub.U_tec.Ultraloq_Bridge']) {
    const { idClass, nextShare } = signatureOf(deviceModel);
    assert.equal(idClass, 'counter', deviceModel);
    assert.ok((nextShare ?? 0) > 0.95);
  }
  assert.equal(signatureOf('lock.Schlage.Encode').idClass, 'randomStep');
  const { idClass, basis, slope } = signatureOf('webcam.Xiaobai.Y2');
  assert.deepEqual([idClass, basis], ['ticks100', 'packets']);
  // Half of 100 ticks, and less where packets follow each other within one.
  assert.ok(slope !== null && slope > 35 && slope < 60, String(slope));
  const { traces, units } = world;
  assert.ok(traces !== undefined);
  const zeros = units.filter(({ unit }) =>
    classify(gatherIncrements(traces.traceOf(unit, 'whole'), { queriesOnly: true })) === 'zero');
  assert.deepEqual(zeros.map(({ deviceModel }) => deviceModel), ['socket.Belkin.WeMo_Switch']);
});

test('few device models have a class by themselves, and hours to come hardly ever veto their own', { skip }, () => {
  const classes = Map.groupBy(study.signatures.filter(({ idClass }) => idClass !== null), ({ idClass }) => idClass);
  const alone = [...classes.values()].filter((members) => members.length === 1);
  assert.ok(alone.length <= 4, JSON.stringify([...classes.keys()]));
  assert.ok((classes.get('clock250')?.length ?? 0) >= 9);
  // Of one, two hours were left, and it was busy in one of them.
  const vetoed = study.signatures.filter(({ ownVetoed }) => (ownVetoed ?? 0) > 0).map(({ deviceModel }) => deviceModel);
  assert.deepEqual(vetoed, ['socket.Tuya.Smart_Plug']);
});

test('chains follow the few hosts that count, and clocks others; most queries are nobody\'s', { skip }, () => {
  const counting = rowOf('dns-chains', 'counter');
  assert.ok((counting.coverage ?? 0) >= 0.95 && (counting.purity ?? 0) > 0.85, JSON.stringify(study.links));
  assert.ok((rowOf('dns-chains', 'clock250').coverage ?? 1) < 0.02);
  assert.ok((rowOf('dns-chains', 'unclear').coverage ?? 1) < 0.02);
  const clocks = rowOf('clocks', 'clock250');
  assert.ok((clocks.coverage ?? 0) > 0.3 && (clocks.purity ?? 0) > 0.85, JSON.stringify(study.links));
  assert.ok((rowOf('dns-chains', 'all').coverage ?? 1) < 0.5);
});
