import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseJsonCommand } from '../../../src/peer/ui/json-commands.js';
import { UserError } from '../../../src/protocol/errors.js';

test.each([
  { command: 'message', text: 'hi' },
  { command: 'message', text: 'hi', ref: 'r1' },
  { command: 'send', paths: ['/a', 'b'] },
  { command: 'send', paths: ['/a'], ref: 'r' },
  { command: 'accept', transfer: 't' },
  { command: 'accept', transfer: 't', into: '/in' },
  { command: 'decline', transfer: 't' },
  { command: 'cancel', transfer: 't' },
  { command: 'read', id: 'i' },
  { command: 'verify', verified: true },
  { command: 'follow', id: 'ab' },
  { command: 'disappear', seconds: 0 },
  { command: 'disappear', agree: false },
  { command: 'status' },
  { command: 'quit' },
])('reads %j', (command) => {
  expect(parseJsonCommand(JSON.stringify(command))).toEqual(command);
});

test('fields that are unknown are no harm', () => {
  expect(parseJsonCommand('{"command":"status","more":1,"__proto__":{"a":1}}')).toEqual({ command: 'status' });
});

test.each([
  '',
  'hello',
  '{"command":',
  'null',
  '[]',
  '"status"',
  '{}',
  '{"command":"dance"}',
  '{"command":7}',
  '{"command":"constructor"}',
  '{"command":"message"}',
  '{"command":"message","text":7}',
  '{"command":"message","text":"a","ref":7}',
  '{"command":"message","text":"a","ref":null}',
  '{"command":"message","text":"\\ud800"}',
  '{"command":"send"}',
  '{"command":"send","paths":"a"}',
  '{"command":"send","paths":[]}',
  '{"command":"send","paths":["a",1]}',
  '{"command":"accept"}',
  '{"command":"accept","transfer":"t","into":[]}',
  '{"command":"read","id":1}',
  '{"command":"verify"}',
  '{"command":"disappear"}',
  '{"command":"disappear","seconds":-1}',
  '{"command":"disappear","agree":"yes"}',
  '{"command":"verify","verified":"yes"}',
])('refuses %s with code 2 and a hint', (line) => {
  expect(() => parseJsonCommand(line)).toThrow(UserError);
  try {
    parseJsonCommand(line);
  } catch (error) {
    expect(error).toMatchObject({ exitCode: 2, hint: expect.stringMatching(/\.$/) });
  }
});

test('whatever JSON it is given, it reads it or refuses it', () => {
  fc.assert(
    fc.property(fc.json(), (line) => {
      try {
        parseJsonCommand(line);
      } catch (error) {
        expect(error).toBeInstanceOf(UserError);
      }
    }),
  );
});
