/**
 * What leaves the detector: two full runs with everything switched on (`egress-run.ts`), as installed and as the
 * bundle, in a network namespace and under strace. Every byte is accounted for by the table of docs/privacy.md, what
 * servers took is what was sent, state is for nobody else to read, and a forgotten home leaves no byte.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { simpleParser } from 'mailparser';
import { accountEgress, readEgressRows, type EgressAccount, type EgressPlaces } from '../support/egress-account.ts';
import { SecretFinder, type Secret } from '../support/secret-forms.ts';
import { rootFolder } from '../support/source-tree.ts';
import { readTrace, straceArguments, type TracedCall } from '../support/strace-trace.ts';
import {
  calledAddresses, calledPrefixes, credentials, egressPorts as ports, exporterAddress, foreignAddress, homes,
  indicatorAddress, orderedAddress, webhookSecrets, type EgressResult,
} from './egress-world.ts';
import { whyNoNamespaces } from './real-nat.ts';
import { missing } from './shared-data.ts';

const skip = missing({ programs: ['strace', 'ip', 'unshare', 'nft', 'openssl'] }) || whyNoNamespaces() || whyNoTrace();
const folder = mkdtempSync(join(tmpdir(), 'natlens-egress-'));
after(() => rmSync(folder, { recursive: true, force: true }));
/** The page's rows; who asks about a home without the device is told of it, and the state knows that it is there. */
const rows = readEgressRows(readFileSync(join(rootFolder, 'docs', 'privacy.md'), 'utf8')).map(({ id, mayHold }) =>
  ({ id, mayHold: ['state', 'control'].includes(id) ? new Set([...mayHold, 'a home without the device']) : mayHold }));
const runs = ['installed', 'bundle'] as const;
type RunName = (typeof runs)[number];
const { found, unlisted, silent } = homes;

/** `false`, or why strace cannot look at anything here. */
function whyNoTrace(): string | false {
  const words = straceArguments('/dev/null').map((word) => (word === '-ff' ? '-f' : word));
  const { status, stderr } = spawnSync('strace', [...words, 'true'],
    { encoding: 'utf8' });
  return status === 0 ? false : `strace cannot trace here (${stderr.trim().split('\n')[0]})`;
}

/** Runs everything. */
function runWorld(): EgressResult {
  const bundle = join(folder, 'natlens-detector.mjs');
  const built = spawnSync(process.execPath, [join(rootFolder, 'deploy', 'build-detector.ts'), '--out', bundle],
    { encoding: 'utf8' });
  assert.equal(built.status, 0, built.stderr);
  writeFileSync(join(folder, 'resolv.conf'), 'nameserver 127.0.0.1\n');
  const driver = new URL('egress-run.ts', import.meta.url).pathname;
  const ran = spawnSync('unshare', ['--net', '--mount', 'sh', '-c', 'ip link set lo up && ' +
    'mount --bind "$0/resolv.conf" /etc/resolv.conf && exec "$1" "$2" "$0" "$3"',
  folder, process.execPath, driver, bundle],
  { encoding: 'utf8', timeout: 150_000, env: { ...process.env, NODE_OPTIONS: '' } });
  assert.equal(ran.status, 0, `${ran.stdout}${ran.stderr}`);
  return JSON.parse(readFileSync(join(folder, 'result.json'), 'utf8')) as EgressResult;
}

function digestsOf({ actions }: EgressResult['after']): string[] {
  return actions.flatMap(({ id, reference }) => [id.slice(0, 16), reference]);
}

/** Everything that could be told of the three homes. */
function secretsOf({ before, beforeForget, deviceModel }: EgressResult): Secret[] {
  const explained = [before.found, before.unlisted, beforeForget];
  const digests = explained.flatMap(digestsOf);
  const texts: Readonly<Record<string, readonly string[]>> = {
    name: [found.name, unlisted.name],
    contact: [found.mail, 'ottilie.quandt', found.customer],
    addresses: [found.address, found.address6, unlisted.name],
    model: [deviceModel],
    tokens: calledPrefixes,
    blocked: [indicatorAddress, orderedAddress],
    digest: [...new Set(digests)],
    pseudonym: [...new Set(explained.map(({ pseudonym }) => pseudonym))],
    exporter: [exporterAddress],
    // No row may hold these.
    'a full destination': calledAddresses,
    'a home without the device': [silent.name, before.silent.pseudonym],
    'a contact without a cause': [silent.customer, silent.mail, silent.address],
    'a foreign exporter': [foreignAddress],
    'a secret': [credentials.password, ...Object.values(webhookSecrets)],
  };
  return Object.entries(texts).flatMap(([kind, all]) => all.map((text) => ({ kind, text })));
}

function placesOf(run: RunName, { smtpPorts }: EgressResult): EgressPlaces {
  return {
    folder, controlSocket: join(folder, 'state', 'control.sock'),
    files: new Map([[join(folder, 'state'), 'state'], [join(folder, run, 'log'), 'log'],
      ...run === 'installed' ? [[join(folder, '.cache'), 'compiled']] as const : []]),
    remotes: new Map([
      ...smtpPorts.map((port) => [`127.0.0.1:${port}`, 'smtp'] as const),
      [`127.0.0.1:${ports.webhook}`, 'webhook'], [`127.0.0.1:${ports.syslog}`, 'syslog'],
      ['127.0.0.1:53', 'dns'], ['/var/run/nscd/socket', 'dns'], ['netlink', 'dns'],
    ]),
    listeners: new Map([[ports.udp, ''], [ports.tcp, ''], [ports.metrics, 'metrics']]),
    programs: new Map([['verify', 'verify-command'], ['nft', 'nft']]),
    refine: (row, bytes) => (row === 'webhook' && bytes.includes('POST /named ') ? 'named-receiver' : undefined),
  };
}

function bytesOf(accounts: readonly EgressAccount[], ...ids: readonly string[]): Buffer {
  return Buffer.concat(accounts.flatMap(({ conversations }) =>
    conversations.filter(({ row }) => ids.includes(row)).map(({ bytes }) => bytes)));
}

/** What is found of a home in the files of a copy of the state. */
function findIn(copy: string, secrets: readonly Secret[]): string[] {
  const finder = new SecretFinder(secrets);
  const names = readdirSync(join(folder, copy));
  assert.ok(names.includes('detector.sqlite'), copy);
  return names.flatMap((name) => finder.find(readFileSync(join(folder, copy, name)))
    .map(({ kind, text, form }) => `${copy}/${name}: ${kind} ${text} (${form})`));
}

test('every byte that leaves a detector is in the table, and servers took what left', { skip, timeout: 240_000 },
  async (context) => {
    const result = runWorld();
    const secrets = secretsOf(result);
    const traces: Record<RunName, TracedCall[]> = {
      installed: readTrace(join(folder, 'installed'), 'trace'), bundle: readTrace(join(folder, 'bundle'), 'trace'),
    };
    const accounts = runs.map((run) => accountEgress(traces[run], rows, secrets, placesOf(run, result)));

    await context.test('all of it is accounted for', () => {
      for (const [i, { faults }] of accounts.entries()) assert.deepEqual(faults, [], runs[i]);
      assert.deepEqual(result.exitCodes, [0, 0]);
      const used = new Set(accounts.flatMap(({ conversations }) => conversations.map(({ row }) => row)));
      assert.deepEqual(rows.map(({ id }) => id).filter((id) => !used.has(id)), [], 'rows that no byte went to');
      const sizes = rows.map(({ id }) => `${id} ${bytesOf(accounts, id).length}`).join(', ');
      context.diagnostic(`calls: ${runs.map((run) => traces[run].length).join(' and ')}; bytes: ${sizes}`);
    });

    await context.test('the trace saw as many bytes as the servers took', () => {
      // The second run's mail server took TLS.
      const [port] = result.smtpPorts;
      const mails = accounts.flatMap(({ conversations }) => conversations)
        .filter(({ to }) => to.endsWith(`->127.0.0.1:${port}`));
      const sent = {
        smtp: mails.reduce((sum, { bytes }) => sum + bytes.length, 0),
        webhook: bytesOf(accounts, 'webhook', 'named-receiver').length,
        syslog: bytesOf(accounts, 'syslog').length,
      };
      assert.deepEqual(sent, { smtp: result.received.smtp, webhook: result.received.webhook,
        syslog: result.received.syslog });
      assert.ok(bytesOf(accounts, 'dns').length >= (result.received.dns ?? 0));
      assert.equal(result.toldExporter, 0);
      for (const { body } of result.requests) assert.ok(bytesOf(accounts, 'webhook', 'named-receiver').includes(body));
      for (const name of result.questions) assert.match(name, /^(?:mail|hooks|log)\.provider\.test$/);
    });

    await context.test('it is a full run: each row tells what it is for', async () => {
      const tells = (ids: string[], ...texts: string[]): void => {
        const bytes = bytesOf(accounts, ...ids);
        for (const text of texts) assert.ok(bytes.includes(text), `${ids.join()} does not tell ${text}`);
      };
      const { pseudonym } = result.before.found;
      tells(['webhook'], pseudonym, result.before.unlisted.pseudonym, indicatorAddress, 'natlens.notify',
        'natlens.remind', 'natlens.mitigate', 'natlens.verify', 'natlens.observe');
      tells(['named-receiver'], found.name, unlisted.name);
      tells(['syslog'], pseudonym, 'mitigate', 'remind');
      tells(['verify-command'], `NATLENS_HOME=${found.name}`, found.address, found.address6, calledPrefixes[0]);
      tells(['nft'], `${found.address} . ${indicatorAddress} . tcp . 23`, `${unlisted.name} . ${indicatorAddress}`,
        `${found.address} . ${orderedAddress}`, 'delete');
      tells(['metrics'], 'natlens_verdicts', '"status"');
      tells(['control'], found.name, calledPrefixes[1], exporterAddress);
      tells(['log'], pseudonym, '"verdict"', '"action"', '"stopped"', '"retry"');
      tells(['state'], found.name, calledPrefixes[2]);
      assert.deepEqual(result.mails.map(({ to }) => to), [[found.mail]]);
      const mail = await simpleParser(Buffer.from(result.mails[0]?.raw ?? '', 'base64'));
      const finder = new SecretFinder(secrets.filter(({ kind }) => !['contact', 'digest', 'model'].includes(kind)));
      for (const part of [mail.subject, mail.text, mail.html]) {
        assert.ok(String(part).length > 0);
        assert.deepEqual(finder.find(Buffer.from(String(part))), []);
      }
      assert.match(mail.text ?? '', /Ottilie Quandt/);
      assert.deepEqual(result.logins, [`${credentials.user}:${credentials.password}`]);
      assert.deepEqual(result.before.silent.verdicts, []);
    });

    await context.test('files are written in the state folder alone, for nobody else to read', () => {
      const state = join(folder, 'state');
      const files = ['', '-journal', '-shm', '-wal'].map((ending) => join(state, `detector.sqlite${ending}`));
      const [installed, bundle] = accounts.map(({ opened }) =>
        opened.filter((path) => !path.startsWith(join(folder, '.cache'))));
      assert.deepEqual(installed, files);
      // A home was forgotten, for which SQLite takes a file that has no name any more once it is open.
      const temporary = join(state, 'etilqs_');
      assert.deepEqual(bundle?.map((path) => (path.startsWith(temporary) ? temporary : path)),
        [...files.filter((path) => !path.endsWith('-journal')), temporary]);
      assert.equal(statSync(state).mode & 0o777, 0o700);
      for (const copy of ['state', 'state-after-first', 'state-before-forget', 'state-after-forget']) {
        for (const name of readdirSync(join(folder, copy))) {
          assert.equal(statSync(join(folder, copy, name)).mode & 0o777, 0o600, `${copy}/${name}`);
        }
      }
    });

    await context.test('a forgotten home leaves no byte in the state', () => {
      // Others call at the same places: prefixes and the indicator are theirs, too.
      const ofHome = [
        orderedAddress, found.name, found.mail, 'ottilie.quandt', found.customer, found.address, found.address6,
        result.before.found.pseudonym, ...digestsOf(result.before.found), ...digestsOf(result.beforeForget)]
        .map((text) => ({ kind: 'of the home', text }));
      assert.ok(findIn('state-before-forget', ofHome).length > 3, 'it was there');
      assert.deepEqual(findIn('state-after-forget', ofHome), []);
      assert.deepEqual(findIn('state-after-stop', ofHome), []);
      assert.deepEqual([result.after.verdicts, result.after.evidence, result.after.actions, result.after.audit],
        [[], [], [], []]);
      const others = [{ kind: 'name', text: unlisted.name }];
      assert.ok(findIn('state-after-stop', others).length > 0, 'others are still there');
    });

    await context.test('a planted line in the log is found', () => {
      const doctored = traces.bundle.map((call) => (call.name === 'write' && call.args.startsWith('2<')
        ? { ...call, args: call.args.replace(/"((?:\\x[0-9a-f]{2})+)", \d+$/, (_, hex: string) =>
          `"${hex}${[...Buffer.from(found.name)].map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('')}"`),
        returned: call.returned + found.name.length } : call));
      const { faults } = accountEgress(doctored, rows, secrets, placesOf('bundle', result));
      assert.ok(faults.some((fault) => fault.startsWith('log') && fault.includes(found.name)), faults.join('\n'));
    });
  });
