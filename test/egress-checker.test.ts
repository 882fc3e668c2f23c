/**
 * What checks the detector's egress (`test/system/detector-egress.test.ts`) finds what it is there for: doctored traces
 * with one leak each, of every kind and in every form, and a clean one without.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { accountEgress, readEgressRows, type EgressAccount, type EgressPlaces } from './support/egress-account.ts';
import { SecretFinder, type Secret } from './support/secret-forms.ts';
import { orderCalls } from './support/strace-trace.ts';

const home = 'haus-am-see-71';
const secrets: readonly Secret[] = [
  { kind: 'name', text: home }, { kind: 'name', text: 'villa-hügel-72' }, { kind: 'addresses', text: '198.51.100.71' },
];
const rows = readEgressRows([
  '| id | may hold | where to |', '|---|---|---|', '| hook | nothing | there |', '| state | `name` | a folder |',
  '| log | nothing | there |', '| verify | `name` | a program |', '| metrics | nothing | whoever asks |',
  '| arguments | nothing | everybody |', '| dns | nothing | there |', '',
].join('\n'));
const places: EgressPlaces = {
  folder: '/run', controlSocket: '/run/state/control.sock',
  files: new Map([['/run/state', 'state'], ['/run/log', 'log']]),
  remotes: new Map([['127.0.0.1:80', 'hook'], ['[::1]:53', 'dns']]),
  listeners: new Map([[9_464, 'metrics'], [2_055, '']]), programs: new Map([['verify', 'verify']]),
};

const hex = (bytes: string | Buffer): string =>
  `"${[...Buffer.from(bytes)].map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('')}"`;
/** How strace names what a descriptor is of. */
const path = (text: string): string => hex(text).slice(1, -1);

/** Accounts for calls of one thread, or of several. */
function account(...threads: readonly (readonly string[])[]): EgressAccount {
  const calls = orderCalls(threads.map((lines, thread) => ({
    thread: thread + 100,
    text: `${lines.map((line, i) => `17${thread}.${String(i).padStart(6, '0')} ${line}`).join('\n')}\n`,
  })));
  return accountEgress(calls, rows, secrets, places);
}

const socket = '23<TCP:[127.0.0.1:40000->127.0.0.1:80]>';
const write = (to: string, bytes: string | Buffer, taken?: number): string =>
  `write(${to}, ${hex(bytes)}, ${Buffer.byteLength(bytes)}) = ${taken ?? Buffer.byteLength(bytes)}`;

test('what the table allows is no fault, and is counted', () => {
  const { faults, conversations, opened } = account([
    'execve("\\x2f\\x6e", ["\\x6e"], []) = 0',
    'connect(23<TCP:[7]>, {sa_family=AF_INET, sin_port=htons(80), ' +
      `sin_addr=inet_addr(${hex('127.0.0.1')})}, 16) = -1 EINPROGRESS (Operation now in progress)`,
    write(socket, 'POST / HTTP/1.1'), write(socket, 'only half is taken', 4),
    `openat(AT_FDCWD</run>, ${hex('/run/state/a')}, O_RDWR|O_CREAT, 0600) = 4</run/state/a>`,
    `pwrite64(4<${path('/run/state/a')}>, ${hex(`{"home":"${home}"}`)}, 25, 0) = 25`,
    `pipe2([5<${path('pipe:[9]')}>, 6<${path('pipe:[9]')}>], O_CLOEXEC) = 0`, write(`6<${path('pipe:[9]')}>`, '*'),
    '+++ exited with 0 +++',
  ]);
  assert.deepEqual(faults, []);
  assert.deepEqual(opened, ['/run/state/a']);
  assert.equal(conversations.find(({ row }) => row === 'hook')?.bytes.toString(), 'POST / HTTP/1.1only');
  assert.equal(conversations.find(({ row }) => row === 'state')?.bytes.length, 25);
});

/** By what is wrong: calls by thread, and the one fault; or how many there are. */
const faulty: Readonly<Record<string,
  readonly [lines: readonly (readonly string[])[], fault: RegExp, count?: number]>> = {
  'a name where none may be': [[[write(socket, `{"home":"${home}"}`)]],
    /^hook .* holds name: haus-am-see-71 \(plain\)/],
  'a name over two calls': [[[write(socket, 'haus-am'), write(socket, '-see-71')]], /haus-am-see-71/],
  'a name over the vectors of a call': [[[
    `writev(${socket}, [{iov_base=${hex('haus-')}, iov_len=5}, {iov_base=${hex('am-see-71')}, iov_len=9}], 2) = 14`,
  ]], /haus-am-see-71/],
  'a name of another thread': [[['getuid() = 0'], [write(socket, home)]], /haus-am-see-71/],
  'the wrong kind for the row': [[[write(`4<${path('/run/state/a')}>`, '198.51.100.71')]], /^state .*addresses/],
  'bytes to nobody in the table': [[[write('7<TCP:[192.0.2.2:4000->192.0.2.9:443]>', 'x')]],
    /192\.0\.2\.9:443, which no row/],
  'a datagram with its address': [[[
    `sendto(7<UDP:[0.0.0.0:4000]>, ${hex('x')}, 1, 0, {sa_family=AF_INET6, sin6_port=htons(99), ` +
      `inet_pton(AF_INET6, ${hex('2001:db8::9')}, &sin6_addr)}, 28) = 1`,
  ]], /\[2001:db8::9\]:99, which no row/],
  'the second of several messages': [[[
    `sendmmsg(7<UDP:[[::1]:4000->[::1]:53]>, [{msg_hdr={msg_name=NULL, msg_iov=[{iov_base=${hex('a')}, iov_len=1}]}, ` +
      `msg_len=1}, {msg_hdr={msg_name=NULL, msg_iov=[{iov_base=${hex(home)}, iov_len=14}]}, msg_len=14}], 2, 0) = 2`,
  ]], /^dns .*haus-am-see-71/],
  'a connection to nobody in the table': [[[
    `connect(9<TCP:[7]>, {sa_family=AF_INET, sin_port=htons(443), sin_addr=inet_addr(${hex('192.0.2.9')})}, 16) = 0`,
  ]], /a connection to 192\.0\.2\.9:443/],
  'a datagram to whom the socket was connected': [[[
    'connect(9<UDP:[0.0.0.0:5]>, {sa_family=AF_INET, sin_port=htons(9), ' +
      `sin_addr=inet_addr(${hex('192.0.2.9')})}, 16) = 0`,
    `sendmsg(9<UDP:[0.0.0.0:5]>, {msg_name=NULL, msg_iov=[{iov_base=${hex('xy')}, iov_len=2}]}, 0) = 2`,
  ]], /2 bytes to UDP:0\.0\.0\.0:5->192\.0\.2\.9:9, which no row/, 2],
  'an answer to an exporter': [[[
    'accept4(8<TCP:[127.0.0.1:2055]>, NULL, NULL, SOCK_CLOEXEC) = 9<TCP:[127.0.0.1:2055->127.0.0.1:80]>',
    write('9<TCP:[127.0.0.1:2055->127.0.0.1:80]>', 'x'),
  ]], /which no row names/],
  'another port to listen at': [[[
    `bind(9<TCP:[7]>, {sa_family=AF_INET, sin_port=htons(9229), sin_addr=inet_addr(${hex('127.0.0.1')})}, 16) = 0`,
  ]], /it listens at 127\.0\.0\.1:9229/],
  'a file elsewhere': [[[`openat(AT_FDCWD</run>, ${hex('/elsewhere/x')}, O_RDWR|O_CREAT, 0600) = 4</elsewhere/x>`]],
    /\/elsewhere\/x was opened for writing/],
  'a file elsewhere, by a path without a beginning': [[[
    `open(${hex('report.json')}, O_WRONLY|O_CREAT, 0600) = 4</run/x>`,
  ]], /\/run\/report\.json was opened for writing/],
  'a file elsewhere that could not be opened': [[[
    `openat(AT_FDCWD</run>, ${hex('/etc/x')}, O_WRONLY|O_CREAT, 0600) = -1 EACCES (Permission denied)`,
  ]], /\/etc\/x was to be opened/],
  'a file that is moved away': [[[`rename(${hex('/run/state/a')}, ${hex('/elsewhere/a')}) = 0`]],
    /rename of .*\/elsewhere\/a/],
  'memory shared with a file': [[[
    `mmap(NULL, 4096, PROT_READ|PROT_WRITE, MAP_SHARED, 7<${path('/elsewhere/a')}>, 0) = 0x7f0000000000`,
  ]], /memory shared with \/elsewhere\/a/],
  'a call that copies without a look': [[[`sendfile(${socket}, 4<${path('/run/state/a')}>, NULL, 4096) = 4096`]],
    /nobody has looked at: sendfile/],
  'a ring of requests': [[['io_uring_setup(256, {flags=0}) = 17<\\x61>']], /a ring of requests/],
  'a raw socket': [[['socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL)) = 7<\\x61>']], /unusual kind/],
  'a pipe of somebody else': [[[write(`6<${path('pipe:[9]')}>`, '*')]], /pipe:\[9\], which no row/],
  'a signal to a stranger': [[['kill(1, SIGUSR1) = 0']], /a signal to 1/],
  'a terminal that is typed into': [[[`ioctl(0<${path('/dev/tty')}>, TIOCSTI, [0x61]) = 0`]], /a request of a device/],
  'a name among arguments': [[['getuid() = 0',
    `execve(${hex('/bin/verify')}, [${hex('verify')}, ${hex(`--home=${home}`)}], []) = 0`]],
  /^arguments .*haus-am-see-71/],
  'a program that no row names': [[['getuid() = 0', `execve(${hex('/bin/curl')}, [${hex('curl')}], []) = 0`]],
    /the program \/bin\/curl was started/],
  'the wrong kind for a program': [[[
    'clone(child_stack=NULL, flags=SIGCHLD) = 101', 'socketpair(AF_UNIX, SOCK_STREAM, 0, [4<UNIX-STREAM:[1->2]>]) = 0',
    write('4<UNIX-STREAM:[1->2]>', `${home} at 198.51.100.71`),
  ], ['dup2(5<UNIX-STREAM:[2->1]>, 0) = 0<UNIX-STREAM:[2->1]>',
    `execve(${hex('/bin/verify')}, [${hex('verify')}], [${hex('A=b')}]) = 0`,
    write(`1<${path('/elsewhere/its-own')}>`, home)]],
  /^verify \(standard input of \/bin\/verify 1\) holds addresses/],
};

for (const [what, [threads, fault, count = 1]] of Object.entries(faulty)) {
  test(`found: ${what}`, () => {
    const { faults } = account(...threads.map((lines) => ['sysinfo({}) = 0', ...lines]));
    assert.ok(faults.some((text) => fault.test(text)), `${faults.join('\n')} lacks ${fault}`);
    assert.equal(faults.length, count, faults.join('\n'));
  });
}

test('a trace that is cut, or is none, is refused', () => {
  const whole = write(socket, 'abc');
  assert.throws(() => account([whole.replace('", 3', '"..., 3')]), /strace cut a text of write/);
  assert.throws(() => account(['what is this']), /no line of strace/);
  assert.equal(account(['futex(0x7f, FUTEX_WAIT <unfinished ...>']).faults.length, 1, 'nobody asked for it');
});

const address = Buffer.from([198, 51, 100, 71]);
const forms: Readonly<Record<string, string | Buffer>> = {
  'plain': `x${home}y`, 'in capitals': home.toUpperCase(),
  'in base64': Buffer.from(`abc ${home} def`).toString('base64'),
  'in base64, one further': Buffer.from(`ab ${home} def`).toString('base64'),
  'in base64, two further': Buffer.from(`a ${home} def`).toString('base64'),
  'in base64 for URLs': Buffer.from(`abc ${home} def`).toString('base64url'),
  'in hexadecimal': Buffer.from(home).toString('hex'), 'in UTF-16': Buffer.from(home, 'utf16le'),
  'percent-encoded': encodeURIComponent('villa-hügel-72'),
  'quoted-printable': 'villa-h=C3=BCgel-=\r\n72', 'with the escapes of JSON': '"villa-h\\u00fcgel-72"',
  'in Latin-1': Buffer.from('villa-hügel-72', 'latin1'),
  'as a digest': createHash('sha256').update(home).digest('hex'),
  'as half a digest': createHash('sha1').update(home).digest('hex').slice(0, 18),
  'as a digest in base64': createHash('md5').update(home).digest('base64'),
  'the bytes of an address': Buffer.concat([Buffer.from([1, 2]), address, Buffer.from([3])]),
  'the bytes of an address, swapped': Buffer.from(address).reverse(), 'an address': 'https://198.51.100.71/',
};

for (const [form, bytes] of Object.entries(forms)) {
  test(`a secret is found ${form}`, () => {
    assert.equal(new SecretFinder(secrets).find(Buffer.from(bytes as string)).length, 1);
  });
}

test('what is like a secret is none', () => {
  const finder = new SecretFinder(secrets);
  const digest = createHash('sha256').update(`${home} `).digest('hex');
  for (const text of ['haus-am-see-72', 'villa', '198.51.100.17', digest]) {
    assert.deepEqual(finder.find(Buffer.from(text)), [], text);
  }
});

test('the table is read from the page', () => {
  assert.deepEqual(rows.map(({ id, mayHold }) => [id, [...mayHold]]).slice(0, 2), [['hook', []], ['state', ['name']]]);
  assert.throws(() => readEgressRows('# Nothing\n'), /no table/);
});
