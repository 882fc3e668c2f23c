/**
 * A detector with classifiers that carry a fingerprint and a calibration: they decide by these, say so in words, and
 * where they must not decide, say that, too.
 */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { readArtifact } from '#classifier/artifact';
import { parseNullSketch } from '#verdict';
import { CoreWorld } from '../../../test/support/detector-core.ts';
import {
  deviceModel, makeArtifact, makeShippedArtifact, makeWorldCalibration, makeWorldFingerprint,
} from '../../../test/support/detector-world.ts';
import { makeSecondStage } from '../../../test/support/shipped-parts.ts';
import { formatExplanation } from './format-explanation.ts';
import { explainHome } from './home-desk.ts';
import { sketchHomes } from './sketch-desk.ts';

const hourMs = 3_600_000;
const dayMs = 86_400_000;
const startMs = Date.UTC(2026, 3, 1);
const homes = '[homes]\nmap = "address"\ninside = ["198.51.100.0/24"]\n[[device_model]]\n' +
  `name = "${deviceModel}"\ntitle = "Test camera"\n`;
const address = '198.51.100.1';

const open = async (t: TestContext, artifact: Uint8Array, more = homes): Promise<CoreWorld> =>
  await CoreWorld.open(t, more, { classifiers: { 'webcam.nlc': artifact } });
const decisionOf = ({ core: { engine, steady } }: CoreWorld) =>
  engine.decisions.decisionOf(engine.classifiers[0]?.digest ?? '', steady.wallMs());

test('a calibrated classifier decides by its fingerprint and null table, and explains itself', async (t) => {
  const world = await open(t, makeShippedArtifact());
  world.see(address);
  world.see('198.51.100.2', false);
  const { core } = world;
  assert.deepEqual(decisionOf(world), {
    decidesBy: 'calibration', fault: undefined, detail: undefined, expiresMs: Date.UTC(2030, 0, 1), fprUpper95: 0.0002,
  });
  const [verdict] = core.engine.book.ofHome(address);
  assert.equal(verdict?.state, 'present');
  // None of 80,000 home-days in four strata is as strong; whose stratum is not known, the least sure of them counts.
  assert.equal(verdict?.p, 1 / 20_001);
  assert.equal(verdict?.evidence?.score, 8);
  assert.deepEqual(core.engine.book.ofHome('198.51.100.2'), []);
  const explanation = explainHome(core, address);
  const [reason] = explanation.reasons;
  assert.equal(reason?.answer, 'present');
  assert.match(reason?.text[0] ?? '', new RegExp(`^There is a Test camera \\(${deviceModel}\\) in this home\\. ` +
    'A home without a Test camera .* looks like this on at most one day in 20,001\\.$'));
  assert.match(reason?.text[1] ?? '', /^It was found 2026-04-01 00:\d\d UTC; the first sign of it was seen 2026-04-01/);
  assert.match(reason?.text[3] ?? '', /^Between .* UTC the home showed 2 things that such a device does\.$/);
  assert.match(reason?.text[2] ?? '', /^Of 31 other devices that it was compared with, none does the rarest of what/);
  assert.equal(reason?.seen.length, 2);
  assert.match(reason?.seen[0] ?? '',
    /^servers in the network 203\.0\.11[345]\.0\/24 \(TCP port 8883\), in \d+ minutes?$/);
  assert.equal(reason?.advice, undefined);
  const text = formatExplanation(explanation);
  assert.match(text, /score 8 of 2 tokens, p 0\.000050/);
  assert.match(text, /^ {2}- servers in the network/m);
  const nothing = formatExplanation(explainHome(core, '198.51.100.2'));
  assert.match(nothing, new RegExp(`^Nothing was seen of ${deviceModel}`, 'm'));
});

test('versions of one device model decide side by side and share the budget; the one that led is explained', async (t) => {
  const fingerprint = makeWorldFingerprint();
  const versions = {
    // Of what the device model did before its new firmware one thing is left, which is not enough.
    '2025.nlc': makeShippedArtifact({ fingerprint: { ...fingerprint, tokens: fingerprint.tokens.slice(0, 1) } }),
    '2026.nlc': makeShippedArtifact(),
  };
  const world = await CoreWorld.open(t, homes, { classifiers: versions });
  world.see(address);
  const { engine } = world.core;
  assert.equal(engine.classifiers.length, 2);
  const verdict = engine.book.find(address, deviceModel);
  assert.equal(verdict?.classifier, readArtifact(versions['2026.nlc']).digest);
  const [reason] = explainHome(world.core, address).reasons;
  assert.deepEqual([reason?.answer, reason?.seen.length], ['present', 2]);
  // 12,000 home-days in four strata are enough for all of the budget, but not for half of it.
  // 12,000 home-days in four strata are enough for all of the budget, but not for half of it.
  const calibration = makeWorldCalibration({ homeDays: 3_000 });
  const alone = await open(t, makeShippedArtifact({ calibration }));
  alone.see(address);
  assert.equal(alone.core.engine.book.find(address, deviceModel)?.state, 'present');
  const both = await CoreWorld.open(t, homes, {
    classifiers: { 'a.nlc': makeShippedArtifact({ calibration }), 'b.nlc': makeShippedArtifact({ calibration }, 2) },
  });
  both.see(address);
  assert.equal(both.core.engine.book.find(address, deviceModel), undefined);
});

test('an expired calibration decides nothing; what was found before stands, and both are said', async (t) => {
  const world = await open(t, makeShippedArtifact({
    calibration: makeWorldCalibration({ expiresMs: startMs + hourMs }),
  }));
  world.see(address);
  assert.equal(world.core.engine.book.find(address, deviceModel)?.state, 'present');
  world.clock.advance(hourMs);
  const { supportedMs } = world.core.engine.book.find(address, deviceModel) ?? {};
  for (const from of [address, '198.51.100.2']) world.see(from);
  const { core } = world;
  assert.deepEqual(core.engine.book.ofHome('198.51.100.2'), []);
  assert.equal(core.engine.book.find(address, deviceModel)?.supportedMs, supportedMs, 'nothing supports it either');
  const decision = decisionOf(world);
  assert.deepEqual([decision?.decidesBy, decision?.fault], ['nothing', 'expired']);
  assert.match(decision?.detail ?? '', /out of date since 2026-04-01 01:00 UTC.*newer release/);
  assert.equal(core.engine.decisions.countUnfit(core.steady.wallMs()), 1);
  const [before] = explainHome(core, address).reasons;
  assert.equal(before?.answer, 'present');
  assert.match(before?.text[0] ?? '', /That was found earlier; by now the classifier must not decide/);
  const [unfit] = explainHome(core, '198.51.100.2').reasons;
  assert.equal(unfit?.answer, 'unfit');
  assert.match(unfit?.text.join(' ') ?? '', /nothing can be said: .*past its date.* things that such a device does were seen\.$/);
  assert.match(unfit?.advice ?? '', /newer release/);
  assert.match(formatExplanation(explainHome(core, '198.51.100.2')), /^For the operator: It is out of date/m);
});

test('of a home in which nothing was seen an unfit classifier is told all the same', async (t) => {
  const world = await open(t, makeShippedArtifact({ calibration: makeWorldCalibration({ homeDays: 20 }) }));
  world.see(address, false);
  const { reasons, unseen } = explainHome(world.core, address);
  assert.deepEqual(unseen, []);
  assert.deepEqual(reasons.map(({ answer }) => answer), ['unfit']);
  assert.match(reasons[0]?.advice ?? '', /too few homes for a rate of 3 in 1,000 homes a month/);
  world.see(address);
  assert.deepEqual(world.core.engine.book.ofHome(address), []);
});

test('where more false alarms are allowed, fewer home-days are enough', async (t) => {
  const artifact = makeShippedArtifact({ calibration: makeWorldCalibration({ homeDays: 100 }) });
  const world = await open(t, artifact, `${homes}[verdict]\nfalse_alarms = 0.4\n`);
  world.see(address);
  assert.equal(world.core.engine.book.find(address, deviceModel)?.p, 1 / 101);
});

test('a group is named as one, whatever is found of it', async (t) => {
  const group = ['plug.Other.Two', deviceModel].sort();
  const world = await open(t, makeShippedArtifact({ calibration: makeWorldCalibration({ group }) }));
  world.see(address);
  assert.deepEqual(world.core.engine.book.find(address, deviceModel)?.group, group);
  const [reason] = explainHome(world.core, address).reasons;
  assert.equal(reason?.answer, 'one-of');
  assert.match(reason?.text[0] ?? '', /one of these in this home: plug\.Other\.Two or Test camera \(/);
  assert.match(formatExplanation(explainHome(world.core, address)),
    /^ {2}one of plug\.Other\.Two, webcam\.Test\.One$/m);
});

test('one without a calibration decides by distinct tokens, and is shown as not calibrated', async (t) => {
  for (const artifact of [makeArtifact(), makeShippedArtifact({ calibration: undefined })]) {
    const world = await open(t, artifact);
    world.see(address);
    const verdict = world.core.engine.book.find(address, deviceModel);
    assert.equal(verdict?.state, 'present');
    assert.equal(verdict?.evidence?.tokens.length, 3, 'three distinct tokens, whatever each weighs');
    assert.equal(verdict?.p, undefined);
    const decision = decisionOf(world);
    assert.deepEqual([decision?.decidesBy, decision?.fault], ['distinct-tokens', 'not-calibrated']);
    assert.equal(world.core.engine.decisions.countUnfit(0), 0, 'it decides');
    const [reason] = explainHome(world.core, address).reasons;
    assert.match(reason?.text.join(' ') ?? '', /How often a home without it shows as much was not measured/);
    assert.match(reason?.advice ?? '', /Calibrate it/);
  }
});

test('a policy that asks for no calibration gets none: tokens of accepted flows decide', async (t) => {
  for (const policy of ['distinct-tokens', 'single-flow']) {
    const world = await open(t, makeShippedArtifact(), `${homes}[verdict]\npolicy = "${policy}"\n`);
    world.see(address);
    const verdict = world.core.engine.book.find(address, deviceModel);
    assert.equal(verdict?.p, undefined);
    assert.ok((verdict?.evidence?.tokens ?? []).every(({ weight }) => weight === 1));
    assert.deepEqual([decisionOf(world)?.decidesBy, decisionOf(world)?.fault], [policy, undefined]);
  }
});

test('what the second stage refuses is no evidence', async (t) => {
  const { classifier } = readArtifact(makeArtifact());
  const stage = makeSecondStage(classifier.detector.layout);
  const never = await open(t, makeShippedArtifact({ secondStage: { ...stage, acceptFrom: 1e9 } }));
  never.see(address);
  assert.deepEqual(never.core.engine.book.ofHome(address), []);
  assert.deepEqual(explainHome(never.core, address).evidence, []);
  assert.deepEqual(never.core.engine.counts().flowsAccepted, [0]);
  const always = await open(t, makeShippedArtifact({ secondStage: { ...stage, acceptFrom: -1e9 } }));
  const without = await open(t, makeShippedArtifact());
  for (const world of [always, without]) world.see(address);
  assert.ok((without.core.engine.counts().flowsAccepted[0] ?? 0) > 10);
  assert.deepEqual(always.core.engine.counts().flowsAccepted, without.core.engine.counts().flowsAccepted);
});

test('a drifted classifier decides nothing any more', async (t) => {
  const world = await open(t, makeShippedArtifact());
  const { engine } = world.core;
  engine.decisions.setDrifted(engine.classifiers[0]?.digest ?? '', true);
  world.see(address);
  assert.deepEqual(engine.book.ofHome(address), []);
  assert.deepEqual([decisionOf(world)?.decidesBy, decisionOf(world)?.fault], ['nothing', 'drifted']);
  assert.equal(explainHome(world.core, address).reasons[0]?.answer, 'unfit');
});

test('when homes that have a device model fall silent together its classifier is unfit, and that is kept', async (t) => {
  const world = await open(t, makeShippedArtifact());
  const { core, clock } = world;
  const from = Array.from({ length: 8 }, (_, i) => `198.51.100.${i + 1}`);
  const passDay = (isDevice: boolean): void => {
    clock.advance(6 * hourMs);
    for (const each of from) world.see(each, isDevice);
    clock.advance(dayMs - (clock.nowMs() - startMs) % dayMs);
    core.engine.tick();
  };
  for (let day = 0; day < 4; day++) passDay(true);
  assert.equal(decisionOf(world)?.fault, undefined);
  passDay(false);
  assert.equal(decisionOf(world)?.fault, undefined, 'the day is not settled');
  clock.advance(3 * hourMs);
  core.engine.tick();
  assert.deepEqual([decisionOf(world)?.decidesBy, decisionOf(world)?.fault], ['nothing', 'drifted']);
  assert.ok(core.engine.checkpoint());
  assert.deepEqual(core.store.driftedClassifiers(), [core.engine.classifiers[0]?.digest]);
  assert.match(explainHome(core, from[0] ?? '').reasons[0]?.advice ?? '', /changed\. Put a newer release/);
});

test('the field sketch has a day of each home once it is over, over restarts, and no home in it', async (t) => {
  const world = await open(t, makeShippedArtifact({ calibration: undefined }));
  const { core, clock } = world;
  assert.throws(() => sketchHomes(core, 1), /nothing to tell yet: 1 days of homes are needed.*the most .* is 0/);
  for (let day = 0; day < 4; day++) {
    // Windows of the first half hour are of the day before.
    clock.advance(6 * hourMs);
    for (const from of [address, '198.51.100.2', '198.51.100.3']) world.see(from, from === address);
    clock.advance(startMs + (day + 1) * dayMs - clock.nowMs());
    core.engine.tick();
  }
  clock.advance(6 * hourMs);
  core.engine.tick();
  assert.ok(core.engine.checkpoint());
  const { text, homeDays, heldBack, classifiers } = sketchHomes(core, 6);
  assert.deepEqual([homeDays, heldBack, classifiers], [6, [], 1]);
  const sketch = parseNullSketch(text);
  assert.ok(typeof sketch !== 'string');
  const bins = sketch.classifiers[0]?.nullTable.homeDays[0] ?? [];
  assert.deepEqual([bins[0], bins.reduce((sum, count) => sum + count, 0)], [4, 6]);
  assert.ok(!text.includes('198.51') && !text.includes('2026'));
  assert.throws(() => sketchHomes(core, 7), /needed of a classifier with a fingerprint, and the most that one has is 6/);
  const [[digest, counts] = ['', undefined]] = [...core.store.sketches()];
  assert.equal(digest, core.engine.classifiers[0]?.digest);
  assert.deepEqual(counts, core.engine.sketch.countsOf(digest));
  assert.deepEqual(makeWorldFingerprint().tokens.length, 3);
});
