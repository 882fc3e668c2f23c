/** Kinds of names: what the lists, the public suffix list, the form of a name and the make say; what is no server. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createNameKinds, registrableDomainOf, serverNameOf } from './name-kinds.ts';
import { defaultNameLists } from './name-lists.ts';

const { kindOf } = createNameKinds(defaultNameLists);

test('names of servers are compared in one spelling; others are none', () => {
  assert.equal(serverNameOf('A1.TuyaUS.com.'), 'a1.tuyaus.com');
  assert.equal(serverNameOf('p2p.vendor.example'), 'p2p.vendor.example');
  for (const asked of ['', '.', 'router', 'printer.local', 'nas.lan', 'wpad.home', 'fritz.box', 'device.home.arpa',
    '1.0.168.192.in-addr.arpa', '_hap._tcp.local', 'lb._dns-sd._udp.vendor.com', '192.0.2.7', 'com',
    'api.vendor.com.speedport']) {
    assert.equal(serverNameOf(asked), '', asked);
  }
});

test('registrable domains follow the ICANN part of the public suffix list', () => {
  assert.deepEqual(['www.dlink.com.tw', 'x.y.s3.amazonaws.com', 'a.b.vendor.example'].map(registrableDomainOf),
    ['dlink.com.tw', 'amazonaws.com', 'vendor.example']);
});

test('third parties, people\'s pages, and what is left', () => {
  const rows: readonly (readonly [string, string, string])[] = [
    ['a1.tuyaus.com', 'socket.Tuya.Plug', 'device-facing'],
    ['api.unheard-of.net', 'socket.Tuya.Plug', 'device-facing'],
    ['2.pool.ntp.org', 'socket.Tuya.Plug', 'third-party'],
    ['bucket.s3.eu-west-1.amazonaws.com', 'socket.Tuya.Plug', 'third-party'],
    ['x.azureedge.net', 'socket.Tuya.Plug', 'third-party'],
    // No list has it: the private part of the public suffix list does.
    ['x1.herokuapp.com', 'socket.Tuya.Plug', 'third-party'],
    ['www.tuya.com', 'socket.Tuya.Plug', 'human-facing'],
    ['tuya.com', 'socket.Tuya.Plug', 'human-facing'],
    ['www.devices.tuya.com', 'socket.Tuya.Plug', 'device-facing'],
    ['mail.google.com', 'socket.Tuya.Plug', 'human-facing'],
    ['notgoogle.com', 'socket.Tuya.Plug', 'human-facing'],
    ['a.notgoogle.com', 'socket.Tuya.Plug', 'device-facing'],
  ];
  for (const [name, deviceModel, kind] of rows) assert.equal(kindOf(name, deviceModel), kind, name);
});

test('a maker\'s own domains are no third party\'s to its own devices', () => {
  const rows: readonly (readonly [string, string, string])[] = [
    ['device-metrics-us.amazon.com', 'speaker.Amazon.Echo', 'device-facing'],
    ['device-metrics-us.amazon.com', 'socket.Tuya.Plug', 'human-facing'],
    ['www.amazon.com', 'speaker.Amazon.Echo', 'human-facing'],
    ['queue.amazonaws.com', 'webcam.Blink.Camera', 'device-facing'],
    ['queue.amazonaws.com', 'webcam.D_Link.DCS_933L', 'third-party'],
    ['d1.mydlink.myqnapcloud.com', 'webcam.D_Link.DCS_933L', 'device-facing'],
    ['d1.other.myqnapcloud.com', 'webcam.D_Link.DCS_933L', 'third-party'],
    // Two letters are in too many words.
    ['x.azureedge.net', 'plug.Re.One', 'third-party'],
  ];
  for (const [name, deviceModel, kind] of rows) assert.equal(kindOf(name, deviceModel), kind, `${name} ${deviceModel}`);
});

test('default lists: domains as names are compared, none twice, each with a page that says what it is', () => {
  for (const rows of [defaultNameLists.thirdParty, defaultNameLists.humanFacing]) {
    assert.equal(new Set(rows.map(({ domain }) => domain)).size, rows.length);
    for (const { domain, source } of rows) {
      assert.equal(serverNameOf(domain) === domain || domain === 'run.app', true, domain);
      assert.match(source, /^(?:https:\/\/\S+\/\S*|docs\/simulated-lab\.md)$/, domain);
    }
  }
});

test('lists are whoever\'s runs the lab', () => {
  const { kindOf: own } = createNameKinds({ humanFacing: [], makesOfOperators: new Map([['acme', ['birch']]]),
    thirdParty: [{ domain: 'acme.example', operator: 'acme', source: 'https://acme.example/' }] });
  assert.deepEqual(['plug.Oak.A', 'plug.Birch.A', 'plug.Acme.A'].map((model) => own('p2p.acme.example', model)),
    ['third-party', 'device-facing', 'device-facing']);
  assert.equal(own('mail.google.com', 'plug.Oak.A'), 'device-facing');
});
