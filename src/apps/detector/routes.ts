/** What a running detector answers at its control socket: the questions of `natlens detect`. */
import { OperatorError } from '#base';
import type { ControlRoute } from '#service';
import type { DetectorService } from './detector-service.ts';
import {
  explainHome, forgetHome, orderBlock, releaseBlocks, resendAction, setOptOut, type BlockOrder,
} from './home-desk.ts';
import { sketchHomes } from './sketch-desk.ts';

type Fields = Readonly<Record<string, unknown>>;

function fieldsOf(body: unknown): Fields {
  if (typeof body === 'object' && body !== null && !Array.isArray(body)) return body as Fields;
  throw new OperatorError('bad-option', 'The question has no fields.');
}

function textOf(body: unknown, name: string): string {
  const value = fieldsOf(body)[name];
  if (typeof value === 'string' && value !== '') return value;
  throw new OperatorError('bad-option', `The question lacks '${name}'.`);
}

function optionalTextOf(body: unknown, name: string): string | undefined {
  return fieldsOf(body)[name] === undefined ? undefined : textOf(body, name);
}

function orderOf(body: unknown): BlockOrder {
  const { protocol, port } = fieldsOf(body);
  if (protocol !== 'tcp' && protocol !== 'udp') throw new OperatorError('bad-option', 'protocol is tcp or udp.');
  if (port !== undefined && !(Number.isInteger(port) && (port as number) >= 1 && (port as number) <= 65_535)) {
    throw new OperatorError('bad-option', 'port is a number from 1 to 65535.');
  }
  return {
    home: textOf(body, 'home'), deviceModel: textOf(body, 'deviceModel'), protocol, port: port as number | undefined,
    destination: optionalTextOf(body, 'destination'), note: textOf(body, 'note'),
  };
}

/** @param find  the detector. @throws OperatorError, EnvironmentError  each answer may */
export function createRoutes(find: () => DetectorService): readonly ControlRoute[] {
  return [
    { method: 'GET', path: '/status', answer: async () => await find().status() },
    { method: 'POST', path: '/explain', answer: ({ body }) => explainHome(find(), textOf(body, 'home')) },
    { method: 'GET', path: '/sketch', answer: () => sketchHomes(find()) },
    { method: 'POST', path: '/forget', answer: async ({ body }) => await forgetHome(find(), textOf(body, 'home')) },
    { method: 'POST', path: '/release', answer: async ({ body }) => await releaseBlocks(find(), textOf(body, 'home')) },
    {
      method: 'POST', path: '/opt-out', answer: ({ body }) => {
        const home = setOptOut(find(), textOf(body, 'home'), optionalTextOf(body, 'deviceModel'),
          fieldsOf(body).isOut === true);
        return { home };
      },
    },
    {
      method: 'POST', path: '/block', answer: ({ body }) => {
        const answer = orderBlock(find(), orderOf(body));
        find().planAndExecute();
        return answer;
      },
    },
    {
      method: 'POST', path: '/resend', answer: ({ body }) => {
        const id = resendAction(find(), textOf(body, 'action'));
        find().planAndExecute();
        return { id };
      },
    },
  ];
}
